"""The built image, booted by QEMU, and looked at from outside."""
