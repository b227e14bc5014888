//! Which device runs a network, and why.
//!
//! The choice is `auto` (the best hardware graphics adapter, else the CPU), `cpu`, `gpu` (the best hardware adapter or an error) or
//! `gpu:N` (the N-th line of `inr devices`). A software adapter, which only imitates a graphics card on the CPU, is far slower
//! than the CPU engine and is taken only when named by its number.

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
mod gpu;
mod memory;
mod peak;

pub use memory::PeakMemory;

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::engine::{BurnEngine, Engine, Segmented, TiledEngine};
use crate::kernels::instruction_set;

/// A graphics adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// The number N of `gpu:N`.
    pub number: usize,
    /// The name that the driver gives.
    pub name: String,
    /// What it is: discrete, integrated, virtual, software.
    pub kind: AdapterKind,
    /// The graphics interface: Vulkan, Metal, Dx12.
    pub interface: String,
    place: gpu::Place,
}

/// What an adapter is; better ones compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// Not a graphics card but an imitation on the CPU.
    Software,
    /// Unknown hardware.
    Other,
    /// A share of a card, given to a virtual machine.
    Virtual,
    /// A graphics unit beside the CPU cores.
    Integrated,
    /// A card of its own.
    Discrete,
}

impl AdapterKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Other => "other",
            Self::Virtual => "virtual",
            Self::Integrated => "integrated",
            Self::Discrete => "discrete",
        }
    }
}

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The best hardware adapter, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The best hardware adapter.
    Gpu,
    /// The adapter of this number, hardware or not.
    GpuNumber(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "gpu" => Ok(Self::Gpu),
            Some(("gpu", number)) => number
                .parse()
                .map(Self::GpuNumber)
                .map_err(|_| format!("{number:?} is not a number; inr devices lists the adapters")),
            _ => Err(format!(
                "{text:?} is not a device; use auto, cpu, gpu or gpu:N"
            )),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::GpuNumber(number) => write!(f, "gpu:{number}"),
        }
    }
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DeviceError {
    /// There is no hardware adapter.
    #[error("no hardware graphics adapter was found{hint}; use --device cpu")]
    NoHardware {
        /// What else could be asked for.
        hint: String,
    },
    /// There is no adapter of that number.
    #[error("there is no adapter gpu:{number} ({found} found); inr devices lists them")]
    NoSuchAdapter {
        /// The number asked for.
        number: usize,
        /// How many there are.
        found: usize,
    },
    /// The adapter does not open.
    #[error("{name} cannot be opened: {reason}; use --device cpu")]
    Open {
        /// The adapter.
        name: String,
        /// What the driver said.
        reason: String,
    },
}

/// What the names of the processor begin with.
const CPU: &str = "cpu";

/// Whether a report that names its device so is of a run on the processor.
pub fn is_cpu(name: &str) -> bool {
    name.split(' ').next() == Some(CPU)
}

/// Whether runs on devices of these names have the same bits: on a processor however many threads there are.
pub fn is_same_arithmetic(one: &str, other: &str) -> bool {
    let instructions = |name: &str| match is_cpu(name) {
        true => name.split_once(", ").map(|(_, rest)| rest.to_string()),
        false => None,
    };
    one == other || instructions(one).is_some() && instructions(one) == instructions(other)
}

/// A chosen device.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What it is, for reports: `cpu (2 threads, avx512)` or the adapter's name.
    pub name: String,
    /// Why it was chosen, for people.
    pub reason: String,
    /// None for the CPU, whose engine needs no burn device.
    device: Option<Device>,
}

impl Chosen {
    /// The engine that runs networks on this device.
    pub fn engine(&self) -> Box<dyn Engine> {
        let engine: Box<dyn Engine> = match &self.device {
            Some(device) => Box::new(BurnEngine::new(device.clone())),
            None => Box::new(TiledEngine::default()),
        };
        Box::new(Segmented::new(engine))
    }

    /// Measures, within half a second, how fast the device multiplies matrices at best, in 10⁹ floating-point operations a second; none
    /// for graphics adapters.
    pub fn matrix_product_gflops(&self) -> Option<f64> {
        match &self.device {
            Some(_) => None,
            None => Some(peak::matrix_product_gflops()),
        }
    }
}

/// All graphics adapters, in the order of their numbers.
pub fn adapters() -> Vec<Adapter> {
    // Asking the drivers takes a moment and some of them talk, so it is done once.
    static ADAPTERS: std::sync::OnceLock<Vec<Adapter>> = std::sync::OnceLock::new();
    ADAPTERS.get_or_init(gpu::adapters).clone()
}

/// Chooses and opens a device.
///
/// # Errors
/// [`DeviceError`] when what was asked for is not there; `auto` never fails, as it falls back to the CPU.
pub fn choose(choice: DeviceChoice) -> Result<Chosen, DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu("as asked")),
        DeviceChoice::Auto => {
            let adapters = adapters();
            match best_hardware(&adapters).map(|adapter| open(adapter, "the best hardware adapter"))
            {
                Some(Ok(chosen)) => Ok(chosen),
                Some(Err(error)) => Ok(cpu(&error.to_string())),
                None if adapters.is_empty() => Ok(cpu("no graphics adapter was found")),
                None => Ok(cpu("the only graphics adapter is a software one")),
            }
        }
        DeviceChoice::Gpu => {
            let adapters = adapters();
            let adapter = best_hardware(&adapters).ok_or_else(|| DeviceError::NoHardware {
                hint: adapters.first().map_or(String::new(), |a| {
                    format!(" (gpu:{} is the software adapter {})", a.number, a.name)
                }),
            })?;
            open(adapter, "the best hardware adapter")
        }
        DeviceChoice::GpuNumber(number) => {
            let adapters = adapters();
            let adapter = adapters.get(number).ok_or(DeviceError::NoSuchAdapter {
                number,
                found: adapters.len(),
            })?;
            open(adapter, "as asked")
        }
    }
}

fn best_hardware(adapters: &[Adapter]) -> Option<&Adapter> {
    // Of equals the first: max_by_key would take the last.
    adapters
        .iter()
        .rev()
        .filter(|a| a.kind > AdapterKind::Software)
        .max_by_key(|a| a.kind)
}

fn cpu(reason: &str) -> Chosen {
    let threads = rayon::current_num_threads();
    let plural = if threads == 1 { "" } else { "s" };
    Chosen {
        name: format!("{CPU} ({threads} thread{plural}, {})", instruction_set()),
        reason: reason.to_string(),
        device: None,
    }
}

fn open(adapter: &Adapter, reason: &str) -> Result<Chosen, DeviceError> {
    let device = gpu::open(adapter).map_err(|reason| DeviceError::Open {
        name: adapter.name.clone(),
        reason,
    })?;
    Ok(Chosen {
        name: format!(
            "{} ({}, {})",
            adapter.name,
            adapter.kind.name(),
            adapter.interface
        ),
        reason: reason.to_string(),
        device: Some(device),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read() {
        for (text, expected) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("gpu", DeviceChoice::Gpu),
            ("gpu:3", DeviceChoice::GpuNumber(3)),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for text in ["", "cuda", "gpu:", "gpu:x", "cpu:1", "GPU"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn threads_change_no_arithmetic_and_instructions_do() {
        let one = "cpu (1 thread, avx512)";
        assert!(is_same_arithmetic(one, "cpu (2 threads, avx512)"));
        assert!(!is_same_arithmetic(one, "cpu (1 thread, avx2)"));
        assert!(!is_same_arithmetic(one, "Radeon, rev. 2, avx512)"));
        assert!(is_same_arithmetic("Radeon", "Radeon"));
    }

    #[test]
    fn an_adapter_that_is_not_there_is_named() {
        let error = choose(DeviceChoice::GpuNumber(999)).unwrap_err();
        assert!(error.to_string().contains("gpu:999"), "{error}");
    }

    #[test]
    fn auto_never_takes_a_software_adapter() {
        let chosen = choose(DeviceChoice::Auto).unwrap();
        assert!(!chosen.name.contains("software"), "{}", chosen.name);
    }
}
