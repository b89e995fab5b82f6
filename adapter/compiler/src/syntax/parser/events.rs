//! What a mechanism does on events and with noise: NET_RECEIVE, POST_EVENT, WHITE_NOISE.

use super::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::ast::{Callable, Ident, NetReceive};

impl Parser<'_> {
    /// `NET_RECEIVE (w (uS), a) { INITIAL { … } … }`
    pub(super) fn net_receive(&mut self) -> Parsed<()> {
        let keyword = self.advance();
        let params = self.optional_params()?;
        self.in_net_receive = true;
        let mut initial = None;
        let body = self.block_with(&mut |p| {
            if !p.at_word("INITIAL") {
                return Ok(false);
            }
            let inner = p.advance();
            let block = p.block()?;
            if initial.is_some() {
                p.second(inner.span, "INITIAL block inside NET_RECEIVE");
            } else {
                initial = Some(block);
            }
            Ok(true)
        });
        self.in_net_receive = false;
        let net_receive = NetReceive {
            params,
            initial,
            body: body?,
            span: self.since(keyword.span.start),
        };
        if self.ast.net_receive.is_some() {
            self.second(keyword.span, "NET_RECEIVE block");
        } else {
            self.ast.net_receive = Some(net_receive);
        }
        Ok(())
    }

    /// `POST_EVENT(t) { … }`, read as a procedure of that name: the time of the spike is its argument.
    pub(super) fn post_event(&mut self) -> Parsed<()> {
        let keyword = self.advance();
        let name = Ident {
            name: self.text(keyword).to_owned(),
            span: keyword.span,
        };
        let params = self.optional_params()?;
        let body = self.block()?;
        let callable = Callable {
            name,
            params,
            body,
            span: self.since(keyword.span.start),
        };
        if self.ast.post_event.is_some() {
            self.second(keyword.span, "POST_EVENT block");
        } else {
            self.ast.post_event = Some(callable);
        }
        Ok(())
    }

    /// `WHITE_NOISE { a, b c }`
    pub(super) fn white_noise(&mut self) -> Parsed<()> {
        self.advance();
        let open = self.expect_symbol("{", "`{`")?;
        self.entries(open, |p| {
            let name = p.name("the name of a noise or `}`")?;
            p.ast.white_noise.push(name);
            p.eat_symbol(",");
            Ok(())
        });
        Ok(())
    }

    /// Reports a block that may be there once.
    pub(super) fn second(&mut self, span: Span, what: &str) {
        let message = format!("a second {what}");
        self.diagnostics.push(
            Diagnostic::error(Code::DuplicateDefinition, span, message)
                .note("a mechanism has one of them; only the first is read"),
        );
    }
}
