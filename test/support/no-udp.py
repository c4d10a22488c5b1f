"""Runs a program that cannot send datagrams: sendmsg and sendmmsg fail with EPERM, for it and its children.

QUIC and STUN libraries send UDP with these two calls; TCP streams use write and send, which still work.
Usage: no-udp.py PROGRAM ARGUMENTS...
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_ALLOW = 0x7FFF0000
RET_EPERM = 0x00050000 | 1
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
# Architecture as the filter sees it, and its numbers of sendmsg and sendmmsg.
ARCHITECTURES = {"x86_64": (0xC000003E, 46, 307), "aarch64": (0xC00000B7, 211, 269)}


def main():
    architecture, sendmsg, sendmmsg = ARCHITECTURES[platform.machine()]
    program = [
        (LOAD, 0, 0, 4),
        (JUMP_IF_EQUAL, 0, 3, architecture),
        (LOAD, 0, 0, 0),
        (JUMP_IF_EQUAL, 2, 0, sendmsg),
        (JUMP_IF_EQUAL, 1, 0, sendmmsg),
        (RETURN, 0, 0, RET_ALLOW),
        (RETURN, 0, 0, RET_EPERM),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        sys.exit("no-udp.py: no_new_privs refused")
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), header, zero, zero) != 0:
        sys.exit("no-udp.py: seccomp refused")
    os.execvp(sys.argv[1], sys.argv[1:])


main()
