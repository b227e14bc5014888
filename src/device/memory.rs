//! The memory of this process.

/// Watches the peak of the resident set size of this process; on Linux only.
#[derive(Debug)]
pub struct PeakMemory {
    is_reset: bool,
}

impl PeakMemory {
    /// Forgets the peak so far.
    pub fn watch() -> Self {
        // 5 sets the peak to the present size (Linux, Documentation/filesystems/proc.rst).
        Self {
            is_reset: std::fs::write("/proc/self/clear_refs", "5").is_ok(),
        }
    }

    /// The peak in bytes since [`PeakMemory::watch`]; none where the system does not tell it or did not forget the peak before.
    pub fn bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        self.is_reset.then_some(kib * 1024)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_freed_is_in_the_peak() {
        const BLOCK: usize = 64 << 20;
        let memory = PeakMemory::watch();
        // Some containers do not let the peak be forgotten.
        let Some(before) = memory.bytes() else { return };
        std::hint::black_box(vec![1u8; BLOCK]);
        // The other tests of this process free memory too.
        let after = memory.bytes().unwrap();
        assert!(after >= before, "{before} and then {after}");
        assert!(after >= BLOCK as u64, "{after}");
    }
}
