#!/usr/bin/env python3
"""Another user of the machine, who floods an address of somebody else's command: 200 connections at a time, until standard input
ends. Says when the flood is under way, and then what was answered, as JSON: how often each status came. Argument: the address."""
import collections, json, socket, sys, threading, urllib.parse

address = urllib.parse.urlsplit(sys.argv[1])
answered, changed, over = collections.Counter(), threading.Condition(), threading.Event()


def visits():
    while not over.is_set():
        try:
            with socket.create_connection((address.hostname, address.port), timeout=60) as link:
                link.sendall(f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
                status = link.recv(65536)[9:12].decode()
        except OSError:
            status = ""
        if not status:
            # The command is done.
            over.wait(0.05)
            continue
        with changed:
            answered[status] += 1
            changed.notify()


for _ in range(200):
    threading.Thread(target=visits, daemon=True).start()
with changed:
    changed.wait_for(lambda: answered.total() >= 200)
print("under way", flush=True)
sys.stdin.read()
over.set()
with changed:
    print(json.dumps(answered), flush=True)
