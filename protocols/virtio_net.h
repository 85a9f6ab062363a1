// SPDX-License-Identifier: Apache-2.0
// <linux/virtio_net.h> for C++: one of its members is called "class".
#pragma once
#pragma GCC system_header

#include <linux/if_ether.h>
#include <linux/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_types.h>

#define class class_of_device
#include <linux/virtio_net.h>
#undef class
