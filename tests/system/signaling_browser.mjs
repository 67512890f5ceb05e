// A Chromium with the WebRTC SDK of Kinesis Video Streams as it comes from its package: masters and viewers, as told line by line
// (browser_lines.mjs).
//
//   {"do":"master","name":…,"arn":…,"endpoint":…,"key":…,"secret":…}   gives {} when its signaling is open
//   {"do":"viewer",…}                                                  gives {error} when it cannot be opened
//   {"do":"watcher",…}                                                 the same, but waits to be asked, as in a storage session
//   {"do":"shown","name":…}                                            gives {frames, width} of what a viewer sees
//   {"do":"state","name":…}                                            gives {closed}
import { FAKE_DEVICES, serve } from './browser_lines.mjs';

const [origin, sdk] = process.argv.slice(2);

const actions = () => {
  const peers = {};
  const open = ({ name, arn, endpoint, key, secret }, role, on) => {
    const peer = { closed: false, connections: [] };
    peers[name] = peer;
    const client = new KVSWebRTC.SignalingClient({
      channelARN: arn, channelEndpoint: endpoint, role, region: 'us-east-1', systemClockOffset: 0,
      ...(role === KVSWebRTC.Role.VIEWER ? { clientId: name } : {}),
      credentials: { accessKeyId: key, secretAccessKey: secret },
    });
    peer.client = client;
    client.on('close', () => { peer.closed = true; });
    return new Promise((done) => {
      client.on('error', (error) => done({ error: String(error?.message ?? error) || 'refused' }));
      client.on('close', () => done({ error: 'closed' }));
      client.on('open', async () => { await on(peer, client); done({}); });
      client.open();
    });
  };
  const show = (peer, connection) => {
    peer.video = document.createElement('video');
    Object.assign(peer.video, { autoplay: true, muted: true, srcObject: new MediaStream() });
    document.body.append(peer.video);
    connection.ontrack = ({ track }) => peer.video.srcObject.addTrack(track);
  };
  window.actions = {
    async master(asked) {
      const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 20 }, audio: true });
      return open(asked, KVSWebRTC.Role.MASTER, (peer, client) => {
        const connections = {};
        client.on('sdpOffer', async (offer, viewer) => {
          const connection = new RTCPeerConnection();
          connections[viewer] = connection;
          connection.onicecandidate = ({ candidate }) => candidate && client.sendIceCandidate(candidate, viewer);
          for (const track of media.getTracks()) connection.addTrack(track, media);
          await connection.setRemoteDescription(offer);
          await connection.setLocalDescription(await connection.createAnswer());
          client.sendSdpAnswer(connection.localDescription, viewer);
        });
        client.on('iceCandidate', (candidate, viewer) => connections[viewer]?.addIceCandidate(candidate));
      });
    },
    async viewer(asked) {
      return open(asked, KVSWebRTC.Role.VIEWER, async (peer, client) => {
        const connection = new RTCPeerConnection();
        show(peer, connection);
        connection.onicecandidate = ({ candidate }) => candidate && client.sendIceCandidate(candidate);
        client.on('sdpAnswer', (answer) => connection.setRemoteDescription(answer));
        client.on('iceCandidate', (candidate) => connection.addIceCandidate(candidate));
        for (const kind of ['video', 'audio']) connection.addTransceiver(kind, { direction: 'recvonly' });
        await connection.setLocalDescription(await connection.createOffer());
        client.sendSdpOffer(connection.localDescription);
      });
    },
    async watcher(asked) {
      return open(asked, KVSWebRTC.Role.VIEWER, (peer, client) => {
        const connection = new RTCPeerConnection();
        show(peer, connection);
        connection.onicecandidate = ({ candidate }) => candidate && client.sendIceCandidate(candidate);
        client.on('sdpOffer', async (offer) => {
          await connection.setRemoteDescription(offer);
          await connection.setLocalDescription(await connection.createAnswer());
          client.sendSdpAnswer(connection.localDescription);
        });
        client.on('iceCandidate', (candidate) => connection.addIceCandidate(candidate));
      });
    },
    async shown({ name }) {
      const { video } = peers[name];
      return { frames: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth };
    },
    async state({ name }) {
      return { closed: peers[name].closed };
    },
  };
};

await serve(async (page) => {
  await page.goto(origin);
  await page.addScriptTag({ path: sdk });
  await page.evaluate(actions);
}, [...FAKE_DEVICES, '--ignore-certificate-errors'], { bypassCSP: true });
