//! A compiled catalogue as NMODL, by way of carrier.

use super::{CompileError, Compiled, FileDiagnostic, reject};
use crate::diagnostic::Diagnostic;
use crate::emit::nmodl::{self, NmodlFile, Simulator};
use crate::ir::mechanism::Mechanism;
use crate::syntax::ast::Ast;

impl Compiled {
    /// Each mechanism as NMODL that the simulator's own compiler takes, and if there are slots its clone; with a law, the
    /// mechanism that controls its own cell instead of clones. `files` are the names of the sources, without folders.
    ///
    /// # Errors
    /// [`CompileError::Rejected`] with what the simulator has no words for.
    pub fn nmodl(&self, to: Simulator, files: &[String]) -> Result<Vec<NmodlFile>, CompileError> {
        let mut out = self.originals(to, files, |i, ast, m| match &self.slots.law {
            Some(law) => {
                let own = self.tangents.get(i).filter(|_| law.mechanism == m.name);
                own.map_or_else(Vec::new, |tangent| nmodl::alone_refusals(ast, tangent, law))
            }
            None => nmodl::clone_refusals(ast, m, to),
        })?;
        let tangents = self.asts.iter().zip(&self.tangents).zip(files);
        out.extend(tangents.filter_map(|((ast, t), file)| match &self.slots.law {
            None => Some(nmodl::emit_clone(ast, t, file, to)),
            Some(law) if law.mechanism == t.mechanism.name => {
                Some(nmodl::emit_alone(ast, t, &self.slots, law, file, to))
            }
            Some(_) => None,
        }));
        Ok(out)
    }

    /// Each mechanism as NMODL, and its companion that carries sensitivities by ion diffusion; in NEURON also the
    /// mechanism that holds what diffuses. It is approximate, and says so. Without slots there is no companion. `files`
    /// as for [`Self::nmodl`].
    ///
    /// # Errors
    /// [`CompileError::Rejected`] with what the simulator has no words for, or diffusion no place.
    pub fn nmodl_diffusing(&self, to: Simulator, files: &[String]) -> Result<Vec<NmodlFile>, CompileError> {
        let mut out = self.originals(to, files, |_, ast, m| nmodl::diffusion_refusals(ast, m, &self.slots))?;
        let tangents = self.asts.iter().zip(&self.tangents).zip(files);
        out.extend(tangents.map(|((ast, t), file)| nmodl::emit_diffusing(ast, t, &self.slots, file, to)));
        if to == Simulator::Neuron && !self.tangents.is_empty() {
            out.push(nmodl::holder(&self.slots));
        }
        Ok(out)
    }

    /// Each mechanism as it is, unless it or, if there are slots, what is made of it is refused.
    fn originals(
        &self,
        to: Simulator,
        files: &[String],
        refusals: impl Fn(usize, &Ast, &Mechanism) -> Vec<Diagnostic>,
    ) -> Result<Vec<NmodlFile>, CompileError> {
        let mut found: Vec<FileDiagnostic> = Vec::new();
        for (i, (ast, m)) in self.asts.iter().zip(&self.mechanisms).enumerate() {
            found.extend(nmodl::refusals(ast, m, to).into_iter().map(|d| (i, d)));
            if !self.tangents.is_empty() {
                found.extend(refusals(i, ast, m).into_iter().map(|d| (i, d)));
            }
        }
        reject(&found)?;
        let all = self.asts.iter().zip(&self.mechanisms).zip(files);
        let about = |ast, m, file: &String| nmodl::About::source(ast, m, file, to);
        Ok(all
            .map(|((ast, m), file)| nmodl::emit(m, to, &about(ast, m, file)))
            .collect())
    }
}
