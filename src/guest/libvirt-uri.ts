/** Where libvirt is asked unless something else is said: the system's own, for QEMU. */
export const defaultLibvirtUri = 'qemu:///system';
