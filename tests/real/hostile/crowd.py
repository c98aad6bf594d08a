"""Other processes at a port of this machine: PORT HOW MANY. It says "stands" once all are there, and ends with its input.

  open    MANY connections that say nothing
  half    MANY connections that begin a callback and don't go on
  drip    MANY connections that send a byte at a time, again and again
  hello   MANY connections, one after the other, that begin TLS
"""
import resource, select, socket, sys

port, how, many = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def connect(say=b""):
    stream = socket.create_connection(("127.0.0.1", port), timeout=60)
    try:
        stream.sendall(say)
    except OSError:
        pass  # The gate has ended it already.
    return stream


says = {"open": b"", "half": b"GET /callback?code=guessed&state=", "drip": b"G"}
if how == "hello":
    for _ in range(many):
        connect(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500).close()
    crowd = []
else:
    crowd = [connect(says[how]) for _ in range(many)]
print("stands", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    if how != "drip":
        sys.stdin.read()
        break
    for at, stream in enumerate(crowd):
        try:
            stream.sendall(b"x")
        except OSError:
            try:
                crowd[at] = connect(b"G")
            except OSError:
                sys.exit()  # The port is closed: the program has its answer.
