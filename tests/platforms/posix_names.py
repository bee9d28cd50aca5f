"""Names of the standard library that only POSIX systems have, and where code uses them without a guard."""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: Modules without which Windows comes. Source: the "Availability" lines of Python's library reference.
MODULES = frozenset(
    {"resource", "fcntl", "termios", "tty", "pty", "pwd", "grp", "syslog", "posix", "readline", "curses"}
)
_OS = (
    *("fork", "forkpty", "register_at_fork", "wait", "wait3", "wait4", "waitid", "WNOHANG", "posix_spawn"),
    *("getuid", "geteuid", "getgid", "getegid", "getgroups", "setuid", "setgid", "getresuid", "initgroups"),
    *("getsid", "setsid", "getpgid", "setpgid", "getpgrp", "setpgrp", "killpg", "nice", "getpriority"),
    *(
        "WIFEXITED",
        "WIFSIGNALED",
        "WEXITSTATUS",
        "WTERMSIG",
        "pidfd_open",
        "sched_getaffinity",
        "sched_yield",
    ),
    *("mkfifo", "mknod", "chown", "fchown", "lchown", "chroot", "openpty", "ttyname", "ctermid", "uname"),
    *("O_NOFOLLOW", "O_PATH", "O_CLOEXEC", "O_NONBLOCK", "O_DIRECTORY", "O_NOCTTY", "O_SYNC", "O_DIRECT"),
    *("pread", "pwrite", "preadv", "pwritev", "readv", "writev", "sendfile", "copy_file_range", "splice"),
    *("memfd_create", "eventfd", "statvfs", "fstatvfs", "sysconf", "confstr", "pathconf", "getloadavg"),
    *("posix_fadvise", "posix_fallocate", "pipe2", "lockf", "unshare", "setns"),
)
_SIGNAL = (
    *("SIGKILL", "SIGALRM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "SIGSTOP"),
    *(
        "SIGCONT",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGIO",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGBUS",
        "SIGSYS",
        "SIGTRAP",
    ),
    *("SIGPROF", "SIGVTALRM", "SIGWINCH", "SIGURG", "alarm", "setitimer", "getitimer", "ITIMER_REAL"),
    *("ITIMER_PROF", "ITIMER_VIRTUAL", "pthread_sigmask", "pthread_kill", "sigwait", "sigpending", "pause"),
    *("siginterrupt", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"),
)
_TIME = (
    "CLOCK_BOOTTIME",
    "CLOCK_MONOTONIC",
    "CLOCK_REALTIME",
    "clock_gettime",
    "tzset",
    "pthread_getcpuclockid",
)
#: Attributes by their module.
ATTRIBUTES = {
    "os": frozenset(_OS),
    "signal": frozenset(_SIGNAL),
    "time": frozenset(_TIME),
    "mmap": frozenset({"PROT_READ", "PROT_WRITE", "MAP_PRIVATE", "MAP_SHARED", "MAP_ANONYMOUS"}),
    "socket": frozenset({"AF_UNIX", "socketpair", "CMSG_LEN"}),
    "select": frozenset({"poll", "epoll", "kqueue"}),
    "subprocess": frozenset({"preexec_fn", "pass_fds"}),
}
#: What a test has to mention to be one of the system.
_ASKING = frozenset({"platform", "name", "hasattr", "getattr", "available", "version"})
#: What is raised where a name is lacking.
_LACKING = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError"})


def unguarded(code: str) -> list[tuple[int, str]]:
    """Return the lines of a module that use a POSIX-only name whatever the system is, with the names.

    A use is guarded inside an ``if`` that asks for the system or for the name, behind one that returns from
    the function, and inside a ``try`` or a ``suppress`` for what is raised where the name is lacking.

    Args:
        code: the source of the module.
    """
    return sorted(set(_in_block(ast.parse(code).body)))


def _in_block(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    for statement in body:
        if isinstance(statement, ast.If) and _asks(statement.test):
            if statement.body and isinstance(statement.body[-1], ast.Return | ast.Raise | ast.Continue):
                return  # and what follows is for the other systems
            continue
        if isinstance(statement, ast.Try) and any(map(_catches, statement.handlers)):
            handlers = [part for handler in statement.handlers for part in handler.body]
            if any(isinstance(part, ast.Return | ast.Raise) for part in handlers):
                return  # what follows is reached with the name only
            continue
        if isinstance(statement, ast.With) and any(
            _suppresses(item.context_expr) for item in statement.items
        ):
            continue
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if isinstance(inner, list):
                yield from _in_block(inner)
        for handler in getattr(statement, "handlers", ()):
            yield from _in_block(handler.body)
        yield from _uses(statement)


def _uses(statement: ast.stmt) -> Iterator[tuple[int, str]]:
    """Yield the uses in a statement itself, without the statements inside it."""
    if isinstance(statement, ast.Import):
        yield from ((statement.lineno, part.name) for part in statement.names if part.name in MODULES)
    if isinstance(statement, ast.ImportFrom) and statement.module in MODULES:
        yield statement.lineno, statement.module
    waiting: list[ast.AST] = [
        child
        for child in ast.iter_child_nodes(statement)
        if not isinstance(child, ast.stmt | ast.ExceptHandler)
    ]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.IfExp | ast.BoolOp) and _asks(node):
            continue
        owner = node.value.id if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else ""
        if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES.get(owner, ()):
            yield node.lineno, f"{owner}.{node.attr}"
        if isinstance(node, ast.keyword) and node.arg in ATTRIBUTES["subprocess"]:
            yield node.value.lineno, node.arg
        waiting += ast.iter_child_nodes(node)


def _asks(test: ast.AST) -> bool:
    words = {node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)}
    words |= {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return bool(words & _ASKING & {"hasattr", "getattr"}) or bool(
        {"sys", "os"} & words and {"platform", "name"} & words
    )


def _catches(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and bool(_names(handler.type) & _LACKING)


def _suppresses(call: ast.expr) -> bool:
    return isinstance(call, ast.Call) and "suppress" in _names(call.func) and bool(_names(call) & _LACKING)


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
