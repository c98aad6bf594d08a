"""What machine it was, and which versions: figures of two machines are never compared."""
import pathlib
import platform
import os
import subprocess


def described():
    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return (f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, Linux {platform.release()}; "
            f"{first_line(['rustc', '--version'])}")


def load():
    """How many processes wanted a core on average, of late: figures taken while others work are noise."""
    return os.getloadavg()[0]


def first_line(command):
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError:
        return None
    lines = (ran.stdout or ran.stderr).splitlines()
    return lines[0].strip() if lines else None
