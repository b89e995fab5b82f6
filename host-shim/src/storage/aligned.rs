//! A fixed-length array at an aligned address, without `unsafe`: the buffer is longer than needed and the array starts
//! at its first aligned element. It never grows, and moving it does not move the heap block.

use std::ops::{Deref, DerefMut};

/// `len` values, the first at a multiple of the alignment.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    buffer: Vec<T>,
    start: usize,
    len: usize,
    alignment: usize,
}

/// The copy is aligned as well, which a copy of the buffer need not be.
impl<T: Copy> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let mut buffer = self.buffer.clone();
        let start = aligned_start(&buffer, self.alignment);
        buffer.copy_within(self.start..self.start + self.len, start);
        Self { buffer, start, ..*self }
    }
}

impl<T: Copy> Aligned<T> {
    /// `len` copies of `value` at a multiple of `alignment` bytes (a power of two).
    pub(crate) fn filled(len: usize, alignment: usize, value: T) -> Self {
        let size = size_of::<T>();
        let alignment = alignment.max(size);
        let buffer = vec![value; len + alignment / size];
        let start = aligned_start(&buffer, alignment);
        Self {
            buffer,
            start,
            len,
            alignment,
        }
    }

    /// `values`, extended to `len` with `pad`.
    pub(crate) fn copied(values: &[T], len: usize, alignment: usize, pad: T) -> Self {
        let mut array = Self::filled(len, alignment, pad);
        let n = len.min(values.len());
        array[..n].copy_from_slice(&values[..n]);
        array
    }

    /// Sets all values.
    #[inline]
    pub(crate) fn set_all(&mut self, value: T) {
        match &mut **self {
            // A cell of one CV has a dozen such arrays, and a call to fill one takes longer than the rest of the step's
            // bookkeeping.
            [only] => *only = value,
            values => values.fill(value),
        }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.buffer.as_mut_ptr().wrapping_add(self.start)
    }
}

/// The first element at a multiple of the alignment, which is at least that of the type.
fn aligned_start<T>(buffer: &[T], alignment: usize) -> usize {
    let misfit = buffer.as_ptr().addr() % alignment;
    (alignment - misfit) % alignment / size_of::<T>()
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}
