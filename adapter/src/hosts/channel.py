"""How a simulator talks to graddiff, as its child. The text of a simulator's program follows behind this one.

Questions are lines of JSON on stdin. An answer on stdout is a line of JSON and, where that has `numbers`, as many
64-bit floats, little endian. The first answer, `hello`, precedes all questions. Everything is described by
adapter/src/plan/export/protocol.rs; units are in its names. When stdin ends, so does the program, even in the midst
of a step: whoever asked is gone.
"""

import sys

# with -c that is the current folder, whose files must not pass for modules
sys.path[:] = [folder for folder in sys.path if folder]

import json
import os
import queue
import threading

PROTOCOL = 4


class Channel:
    """The pipes to graddiff. What anybody prints goes to stderr and cannot be taken for an answer."""

    def __init__(self):
        self.output = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.lines = queue.SimpleQueue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in sys.stdin.buffer:
            self.lines.put(line)
        os._exit(0)

    def ask(self):
        return json.loads(self.lines.get())

    def say(self, answer, arrays=()):
        # NaN is no JSON, and no header holds one
        self.output.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
        for array in arrays:
            self.output.write(array.astype("<f8").tobytes())
        self.output.flush()

    def fail(self, kind, message):
        self.say({"failed": {"kind": kind, "message": message}})

    def serve(self, host, version, begin, prepare=None):
        """Answers until stdin ends. `begin` makes a simulation of a request, `prepare` compiles a folder of mechanisms."""
        self.say({"hello": {"protocol": PROTOCOL, "host": host, "version": version}})
        simulation = None
        while True:
            question = self.ask()
            try:
                if "start" in question:
                    request = question["start"]
                    if request.get("protocol") != PROTOCOL:
                        self.fail("protocol", f"protocol {request.get('protocol')!r} is not {PROTOCOL}")
                        continue
                    simulation = None  # the old one's memory before the new one's
                    simulation = begin(request)
                    self.say({"started": {}})
                elif "advance" in question:
                    times, values, spikes = simulation.advance(question["advance"]["until_ms"])
                    shape = {"samples": len(times), "spikes": len(spikes)}
                    numbers = len(times) * (1 + len(values)) + 3 * len(spikes)
                    self.say({"advanced": {**shape, "numbers": numbers}}, [times, *values, spikes])
                elif "watch" in question or "read" in question:
                    if "watch" in question:
                        simulation.watch(question["watch"]["numbers"])
                    numbers = simulation.read()
                    self.say({"numbers": {"numbers": len(numbers)}}, [numbers])
                elif "write" in question:
                    simulation.write(**question["write"])
                    self.say({"written": {}})
                elif "compile" in question and prepare is not None:
                    prepare(question["compile"]["mechanisms"])
                    self.say({"started": {}})
                else:
                    self.fail("question", f"unknown question {next(iter(question), None)!r}")
            except Exception as error:  # the other side reports it; a traceback would be lost
                self.fail(getattr(error, "kind", type(error).__name__), str(error))


CHANNEL = Channel()
