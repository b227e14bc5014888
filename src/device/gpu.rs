//! Graphics adapters through wgpu.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, DeviceKind};
use burn_wgpu::wgpu;

use super::{Adapter, AdapterKind};

/// Where burn finds the adapter again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    kind: DeviceKind,
    backend: WgpuBackend,
}

/// Every adapter of the graphics interfaces that compute on all of wgpu's features, hardware or not.
pub(super) fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters: Vec<Adapter> = Vec::new();
    for adapter in block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY)) {
        let info = adapter.get_info();
        let backend = match info.backend {
            wgpu::Backend::Vulkan => WgpuBackend::Vulkan,
            wgpu::Backend::Metal => WgpuBackend::Metal,
            wgpu::Backend::Dx12 => WgpuBackend::Dx12,
            _ => continue,
        };
        // burn counts the adapters of one interface and kind from 0.
        let earlier = |kind: AdapterKind| {
            adapters
                .iter()
                .filter(|a| a.kind == kind && a.place.backend == backend)
                .count()
        };
        let (kind, device) = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => (
                AdapterKind::Discrete,
                DeviceKind::DiscreteGpu(earlier(AdapterKind::Discrete)),
            ),
            wgpu::DeviceType::IntegratedGpu => (
                AdapterKind::Integrated,
                DeviceKind::IntegratedGpu(earlier(AdapterKind::Integrated)),
            ),
            wgpu::DeviceType::VirtualGpu => (
                AdapterKind::Virtual,
                DeviceKind::VirtualGpu(earlier(AdapterKind::Virtual)),
            ),
            wgpu::DeviceType::Cpu => (AdapterKind::Software, DeviceKind::Cpu),
            wgpu::DeviceType::Other => (AdapterKind::Other, DeviceKind::DefaultDevice),
        };
        adapters.push(Adapter {
            number: adapters.len(),
            name: info.name,
            kind,
            interface: format!("{:?}", info.backend),
            place: Place {
                kind: device,
                backend,
            },
        });
    }
    adapters
}

/// Opens `adapter` for tensors; an adapter that is open already is shared.
pub(super) fn open(adapter: &Adapter) -> Result<Device, String> {
    static OPEN: std::sync::Mutex<Vec<(Place, Device)>> = std::sync::Mutex::new(Vec::new());
    let mut open = OPEN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, device)) = open.iter().find(|(place, _)| *place == adapter.place) {
        return Ok(device.clone());
    }
    let device = Device::wgpu_options()
        .device_kind(adapter.place.kind.clone())
        .graphics_api(adapter.place.backend)
        .init()
        .map_err(|e| e.to_string())?;
    open.push((adapter.place.clone(), device.clone()));
    Ok(device)
}

/// Waits for a future that is ready at once or after a few polls, as wgpu's are on all native systems.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
