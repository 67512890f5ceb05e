// WHIP and WHEP as docs/http-api.md has them, for the fake server. The other end of each connection is a real one: a page of
// the browser under test (`peer`) makes the answers, shows what is published, and sends moving pictures with sound to viewers.
import crypto from 'node:crypto';

export const kFakeMedia = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--disable-features=WebRtcHideLocalIpsWithMdns'];

/** Runs in the peer's page. */
function setUpPeer() {
  const connections = {};
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 320, height: 180 });
  const context = canvas.getContext('2d');
  setInterval(() => {
    context.fillStyle = `hsl(${(performance.now() / 20) % 360} 70% 45%)`;
    context.fillRect(0, 0, 320, 180);
    context.fillStyle = '#fff';
    context.fillRect((performance.now() / 10) % 300, 80, 20, 20);
  }, 40);
  const audio = new AudioContext();
  const sound = audio.createMediaStreamDestination();
  const tone = audio.createOscillator();
  tone.connect(sound);
  tone.start();
  const pictures = canvas.captureStream(25);
  window.peer = {
    /** `way`: 'send' (whep), 'receive' (whip), 'nothing' (connects and sends no media), 'nowhere' (has no address). */
    async answer(id, way, offer) {
      const connection = new RTCPeerConnection();
      connections[id] = connection;
      await connection.setRemoteDescription({ type: 'offer', sdp: offer });
      if (way === 'send') {
        for (const track of [...pictures.getVideoTracks(), ...sound.stream.getAudioTracks()]) connection.addTrack(track, pictures);
      }
      await connection.setLocalDescription();
      await new Promise((resolve) => {
        connection.onicegatheringstatechange = () => { if (connection.iceGatheringState === 'complete') resolve(); };
        if (connection.iceGatheringState === 'complete') resolve();
      });
      const { sdp } = connection.localDescription;
      return way === 'nowhere' ? sdp.replace(/^a=candidate:.*\r\n/gm, '').replace(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${'x'.repeat(24)}`) : sdp;
    },
    close: (id) => { connections[id]?.close(); delete connections[id]; },
    async received(id) {
      const found = { state: connections[id]?.connectionState };
      for (const entry of (await connections[id]?.getStats())?.values() ?? []) {
        if (entry.type === 'inbound-rtp') found[entry.kind] = entry.framesDecoded ?? entry.packetsReceived;
      }
      return found;
    },
  };
}

export class FakeWebrtc {
  constructor() {
    this.peer = null; // page; none: there is no WebRTC here
    this.refusals = new Map(); // 'whep/garden' to { status, code, message }
    this.ways = new Map(); // 'whep' to 'nothing' or 'nowhere'
    this.sessions = new Map(); // id to { kind, stream, path, candidates }
    this.opened = 0;
  }

  async usePeer(page) {
    await page.goto('about:blank');
    await page.evaluate(setUpPeer);
    this.peer = page;
  }

  of(kind, stream) {
    return [...this.sessions.values()].filter((session) => session.kind === kind && session.stream === stream);
  }

  received(session) {
    return this.peer.evaluate((id) => window.peer.received(id), session.id);
  }

  /** As the server does when a camera or another publisher takes the stream, or it ends. */
  async end(session) {
    this.sessions.delete(session.id);
    await this.peer.evaluate((id) => window.peer.close(id), session.id);
  }

  async serve(request, [kind, stream, id], body, response, error) {
    const refusal = this.refusals.get(`${kind}/${stream}`);
    if (!this.peer) return error(404, 'not_found', 'there is no such path');
    if (request.method === 'OPTIONS') {
      response.writeHead(204);
      return response.end();
    }
    if (request.method === 'POST' && !id) {
      if (request.headers['content-type'] !== 'application/sdp') return error(415, 'invalid_argument', 'an offer comes as application/sdp');
      if (refusal) return error(refusal.status, refusal.code, refusal.message);
      const session = { id: crypto.randomUUID(), kind, stream, candidates: '', offer: body };
      session.path = `/${kind}/${stream}/${session.id}`;
      this.sessions.set(session.id, session);
      this.opened += 1;
      const way = this.ways.get(kind) ?? (kind === 'whep' ? 'send' : 'receive');
      const answer = await this.peer.evaluate((args) => window.peer.answer(...args), [session.id, way, body]);
      if (response.destroyed) return this.end(session); // who asked has gone
      response.writeHead(201, { 'content-type': 'application/sdp', location: session.path, etag: '"tag"' });
      return response.end(answer);
    }
    const session = this.sessions.get(id);
    if (!session) return error(404, 'not_found', 'there is no such session');
    if (request.method === 'PATCH') {
      if (request.headers['if-match'] !== '"tag"') return error(412, 'failed_precondition', 'that is not the session\'s ETag');
      if (request.headers['content-type'] !== 'application/trickle-ice-sdpfrag') return error(415, 'invalid_argument', 'another type');
      session.candidates += body;
      response.writeHead(204);
      return response.end();
    }
    if (request.method !== 'DELETE') return error(405, 'unsupported', 'no such method');
    await this.end(session);
    response.writeHead(200);
    return response.end();
  }
}
