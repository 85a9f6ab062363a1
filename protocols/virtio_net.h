// SPDX-License-Identifier: Apache-2.0
// <linux/virtio_net.h> for C++: one of its members is called "class". And the numbers of UDP
// segmentation, which are younger than the headers of Debian 12.
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

// virtio 1.3, sections 5.1.3 and 5.1.6; Linux 6.2.
#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

// The same of a TAP: <linux/if_tun.h> of Linux 6.2, which takes both or none.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
