"""A line that loses, delays and reorders packets, between a UDP peer and the address that it is told to talk to.

Packets of both directions are lost and delayed as a generator with a seed says: the n-th packet has the same fate in each run.
For machines whose kernel has no netem, and for what netem cannot do: to cut the line for a while.
"""
import heapq
import random
import select
import socket
import threading
import time


class LossyLine:
    def __init__(self, seed, loss, delay_s):
        """`loss`: a packet's chance. `delay_s`: the shortest and the longest, each as likely as any between; so packets overtake."""
        self.loss, self.delay_s, self.random = loss, delay_s, random.Random(seed)
        self.near, self.far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self.near, self.far):
            each.bind(("127.0.0.1", 0))
            each.setblocking(False)
        self.near_peer = self.far_peer = None
        self.passed = self.lost = 0
        self.cut_until = 0.0
        self.on_the_way = []  # (due, count, socket, data): a heap; as long as the delay times the rate
        self.stopping = False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    @property
    def address(self):
        """Where the near peer is to send to."""
        return self.near.getsockname()

    def lead_to(self, host, port):
        self.far_peer = (host, port)

    def cut(self, seconds):
        """Nothing passes for so long."""
        self.cut_until = time.monotonic() + seconds

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.near.close()
        self.far.close()

    def _take(self, source):
        data, sender = source.recvfrom(65536)
        if source is self.near:
            self.near_peer = sender
        # Both numbers are drawn for each packet, so that one's fate does not move the others'.
        chance, delay = self.random.random(), self.random.uniform(*self.delay_s)
        now = time.monotonic()
        if chance < self.loss or now < self.cut_until:
            self.lost += 1
            return
        self.passed += 1
        heapq.heappush(self.on_the_way, (now + delay, self.passed, self.far if source is self.near else self.near, data))

    def _work(self):
        while not self.stopping:
            wait = min(0.1, self.on_the_way[0][0] - time.monotonic()) if self.on_the_way else 0.1
            for source in select.select([self.near, self.far], [], [], max(0, wait))[0]:
                try:
                    self._take(source)
                except (BlockingIOError, ConnectionRefusedError):
                    pass  # the other side is gone, or not there yet
            while self.on_the_way and self.on_the_way[0][0] <= time.monotonic():
                _, _, way_out, data = heapq.heappop(self.on_the_way)
                peer = self.far_peer if way_out is self.far else self.near_peer
                if peer is not None:
                    try:
                        way_out.sendto(data, peer)
                    except (BlockingIOError, ConnectionRefusedError):
                        pass
