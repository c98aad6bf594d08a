#!/usr/bin/env python3
"""Another user of the machine, who swaps files as fast as can be while a program of somebody else's uses them, until standard
input ends. How often is printed as JSON. Arguments: what to do, the folder, the name that the program uses there, and what
belongs to the other one."""
import json, os, select, sys

what, folder, name, theirs = sys.argv[1:]
os.chdir(folder)
swaps = taken = 0

print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    if what == "in-a-shared-folder":
        # Nothing; mine; a link to theirs, which would be taken; mine again.
        for make, source in ((os.link, "mine"), (os.symlink, theirs), (os.link, "mine")):
            make(source, "aside")
            os.rename("aside", name)
            swaps += 1
        os.unlink(name)
    elif what == "in-my-folder":
        # Theirs lies there, then mine.
        os.rename("theirs", name)
        os.rename(name, "theirs")
        os.link("mine", name)
        os.unlink(name)
        swaps += 2
    else:
        # What the program is just writing there becomes a link to another file of theirs, and so does its result.
        for entry in os.listdir("."):
            if entry.startswith(name + ".") and not os.path.islink(entry):
                try:
                    os.rename(entry, "taken")
                    os.symlink(theirs, entry)
                    taken += 1
                except OSError:
                    pass
        try:
            os.symlink(theirs, "aside")
            os.rename("aside", name)
        except OSError:
            pass
        swaps += 1
print(json.dumps({"swaps": swaps, "taken": taken}), flush=True)
