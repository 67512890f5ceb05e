"""webrtc-sim, and the HTTP that it does not speak: peers that publish by WHIP or watch by WHEP."""
import json
import os
import re
import urllib.request

from harness import Process, check

WEBRTC_SIM = os.environ["WEBRTC_SIM_BIN"]
CANDIDATE = re.compile(r"(a=candidate:\S+ \d+ UDP \d+) (\S+) (\d+) typ host", re.I)


class WebrtcSim(Process):
    def __init__(self, directory, name, role, *options):
        super().__init__([WEBRTC_SIM, role, *options], directory / f"webrtc-sim-{name}.log", stdin=True)
        self.sessions = []  # paths, by the peers' numbers
        self.answers = []  # likewise, as the server gave them

    def connect(self, server, path, count=1, line=None):
        """Carries `count` offers to `path` ("{}" in it is the peer's number) and the answers back; over `line` go the media, where one is given."""
        offers = {}
        while len(offers) < count:
            said = json.loads(self.wait_line("{", 60))
            check("offer" in said, said)
            offers[said["peer"]] = said["offer"]
        for number, offer in sorted(offers.items()):
            if line is not None:  # the server is to know no way around it
                offer = re.sub(r"a=candidate:.*\r\n", "", offer)
            request = urllib.request.Request(server.endpoint + path.format(number), method="POST", data=offer.encode(),
                                             headers={"Content-Type": "application/sdp"})
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = response.read().decode()
                self.sessions.append(response.headers["Location"])
                self.answers.append(answer)
            if line is not None:
                found = CANDIDATE.findall(answer)
                check(len(found) == 1, f"one candidate expected: {found}")
                line.lead_to(found[0][1], int(found[0][2]))
                answer = CANDIDATE.sub(lambda match: "{} {} {} typ host".format(match[1], *line.address), answer)
            self.tell(json.dumps({"peer": number, "answer": answer}))

    def stats(self):
        self.tell('{"do":"stats"}')
        return json.loads(self.wait_line('{"connected"', 60))
