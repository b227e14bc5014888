//! The size of the caches.

/// What a core without a known cache is taken to have.
const USUAL: usize = 1 << 20;

/// Bytes of the second-level cache of a core; 1 MiB where the processor does not say.
pub fn second_level_cache() -> usize {
    static SIZE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *SIZE.get_or_init(|| reported().filter(|size| *size > 0).unwrap_or(USUAL))
}

/// What `cpuid` says: leaf 4 of Intel's processors, leaf 0x8000_001D of AMD's, in the same form.
#[cfg(target_arch = "x86_64")]
fn reported() -> Option<usize> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let caches = |leaf: u32| {
        (0..16)
            .map(move |index| __cpuid_count(leaf, index))
            .take_while(|cache| cache.eax & 0x1f != 0)
    };
    let amd = (__cpuid(0x8000_0000).eax >= 0x8000_001d).then(|| caches(0x8000_001d));
    let intel = (__cpuid(0).eax >= 4).then(|| caches(4));
    let second = |cache: &std::arch::x86_64::CpuidResult| cache.eax >> 5 & 7 == 2;
    let found = amd
        .into_iter()
        .flatten()
        .chain(intel.into_iter().flatten())
        .find(second)?;
    // Ways, partitions, line size and sets, each less one.
    let fields = [
        found.ebx >> 22,
        found.ebx >> 12 & 0x3ff,
        found.ebx & 0xfff,
        found.ecx,
    ];
    Some(fields.iter().map(|field| *field as usize + 1).product())
}

#[cfg(not(target_arch = "x86_64"))]
fn reported() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_a_cache() {
        assert!((1 << 16..=1 << 28).contains(&second_level_cache()));
    }
}
