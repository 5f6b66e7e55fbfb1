//! Memory that is needed soon is asked for beforehand, so that several flows' misses in the cache overlap.
//!
//! A hint and nothing else: it changes no value, and on processors it is not written for it does nothing.

#![allow(unsafe_code, reason = "the processor's hint has no safe interface")]

const LINE: usize = 64;

/// Asks for all of a value.
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    every(value, LINE);
}

/// Asks for the line at every `stride` bytes of a value: what lies between is padding.
pub(crate) fn every<T: ?Sized>(value: &T, stride: usize) {
    let begin = std::ptr::from_ref(value).cast::<u8>();
    for offset in (0..size_of_val(value)).step_by(stride) {
        line(begin.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: the instruction reads nothing that a program could see and cannot fault, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
fn line(address: *const u8) {
    // SAFETY: the instruction reads nothing that a program could see and cannot fault, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn line(_address: *const u8) {}
