// SPDX-License-Identifier: Apache-2.0
// Which accelerator QEMU can use on this machine.
#pragma once

#include <string_view>

namespace cede::qemu {

enum class Accelerator { Kvm, Tcg };

// Whether `cpuinfo`, the text of /proc/cpuinfo, names a processor with hardware virtualization: vmx
// (Intel) or svm (AMD) among its flags.
[[nodiscard]] bool has_hardware_virtualization(std::string_view cpuinfo);

// KVM where /dev/kvm can be opened and the processor has hardware virtualization, else TCG. Both
// are asked for: a kvm device without the processor's flags hangs stock kernels.
[[nodiscard]] Accelerator best_accelerator();

}  // namespace cede::qemu
