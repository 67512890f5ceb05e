// A Chromium for webrtc.py: publishes pictures with the time burnt in, and reads it from the pictures that it is shown, as told line
// by line (tests/system/browser_lines.mjs).
//
//   {"do":"publish"} {"do":"watch"}              give {"peer", "sdp"}: an offer, of H.264 alone
//   {"do":"answer","peer":…,"sdp":…}             connects
//   {"do":"direct"}                              publishes to and watches itself, without a server between
//   {"do":"measure","peer":…,"seconds":…}        gives {"delays_ms":[…],"unreadable":…,"fps":…,"jitter_buffer_ms":…} of one who watches
//   {"do":"close"}                               ends all connections
import { serve } from '../tests/system/browser_lines.mjs';

const [origin] = process.argv.slice(2);

const actions = () => {
  const width = 640, height = 360, fps = 25, bits = 24, columns = 12, size = 48;
  const peers = [];
  let drawing = null;

  // Blocks, white for 1: the time in ms, and then its complement, so that a picture that is read wrongly is known.
  const draw = (context2d) => {
    const time = Math.round(performance.now()) % (1 << bits);
    const code = [...Array(bits).keys()].map((bit) => (time >> bit) & 1);
    context2d.fillStyle = `hsl(${time % 360} 50% 50%)`;
    context2d.fillRect(0, 0, width, height);
    [...code, ...code.map((bit) => 1 - bit)].forEach((bit, i) => {
      context2d.fillStyle = bit ? '#fff' : '#000';
      context2d.fillRect((i % columns) * size, Math.floor(i / columns) * size, size, size);
    });
  };
  const read = (context2d) => {
    const { data } = context2d.getImageData(0, 0, width, height);
    const at = (i) => data[4 * ((Math.floor(i / columns) * size + size / 2) * width + (i % columns) * size + size / 2)] > 127 ? 1 : 0;
    let time = 0;
    for (let bit = 0; bit < bits; ++bit) {
      if (at(bit) === at(bits + bit)) return null;
      time += at(bit) * 2 ** bit;
    }
    return time;
  };

  const h264 = (transceiver, capabilities) => transceiver.setCodecPreferences(capabilities.codecs.filter(({ mimeType, sdpFmtpLine }) =>
    mimeType === 'video/rtx' || (mimeType === 'video/H264' && /packetization-mode=1/.test(sdpFmtpLine) && /profile-level-id=42e0/.test(sdpFmtpLine))));
  const add = (connection) => peers.push({ connection }) - 1;
  const whole = (connection) => new Promise((done) => {
    const look = () => connection.iceGatheringState === 'complete' && done();
    connection.addEventListener('icegatheringstatechange', look);
    look();
  });

  const publisher = () => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context2d = canvas.getContext('2d');
    draw(context2d);
    const media = canvas.captureStream(0);
    const [track] = media.getVideoTracks();
    drawing = setInterval(() => { draw(context2d); track.requestFrame(); }, 1000 / fps);
    const connection = new RTCPeerConnection();
    h264(connection.addTransceiver(track, { direction: 'sendonly', streams: [media], sendEncodings: [{ maxBitrate: 2e6 }] }),
      RTCRtpSender.getCapabilities('video'));
    return add(connection);
  };
  const viewer = () => {
    const connection = new RTCPeerConnection();
    const video = Object.assign(document.createElement('video'), { autoplay: true, muted: true, srcObject: new MediaStream() });
    connection.ontrack = ({ track }) => video.srcObject.addTrack(track);
    document.body.append(video);
    const peer = add(connection);
    peers[peer].video = video;
    return peer;
  };
  const offer = async (peer) => {
    const { connection } = peers[peer];
    await connection.setLocalDescription();
    await whole(connection);
    return { peer, sdp: connection.localDescription.sdp };
  };

  window.actions = {
    publish: () => offer(publisher()),
    watch() {
      const peer = viewer();
      h264(peers[peer].connection.addTransceiver('video', { direction: 'recvonly' }), RTCRtpReceiver.getCapabilities('video'));
      return offer(peer);
    },
    async answer({ peer, sdp }) {
      await peers[peer].connection.setRemoteDescription({ type: 'answer', sdp });
      return {};
    },
    async direct() {
      const { peer: from, sdp } = await offer(publisher());
      const peer = viewer();
      const { connection } = peers[peer];
      await connection.setRemoteDescription({ type: 'offer', sdp });
      await connection.setLocalDescription();
      await whole(connection);
      await peers[from].connection.setRemoteDescription(connection.localDescription);
      return { peer };
    },
    async measure({ peer, seconds }) {
      const { connection, video } = peers[peer];
      const context2d = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d', { willReadFrequently: true });
      const delays = [];
      let unreadable = 0;
      const end = performance.now() + seconds * 1000;
      await new Promise((done) => {
        const shown = () => {
          const now = performance.now();
          context2d.drawImage(video, 0, 0, width, height);
          const time = read(context2d);
          if (time === null) ++unreadable;
          else delays.push(Math.round((now - time) * 10) / 10);
          if (now < end) video.requestVideoFrameCallback(shown);
        };
        video.requestVideoFrameCallback(shown);
        setTimeout(done, seconds * 1000 + 500);
      });
      const inbound = [...(await connection.getStats()).values()].find(({ type }) => type === 'inbound-rtp');
      return { delays_ms: delays, unreadable, fps: Math.round(10 * delays.length / seconds) / 10,
        jitter_buffer_ms: Math.round(1000 * inbound.jitterBufferDelay / Math.max(1, inbound.jitterBufferEmittedCount)) };
    },
    async close() {
      clearInterval(drawing);
      for (const { connection, video } of peers.splice(0)) {
        connection.close();
        video?.remove();
      }
      return {};
    },
  };
};

await serve(async (page) => {
  await page.goto(origin);
  await page.evaluate(actions);
}, ['--disable-features=WebRtcHideLocalIpsWithMdns']);
