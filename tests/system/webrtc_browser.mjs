// A Chromium that publishes its fake camera and microphone by WHIP and watches by WHEP, as told line by line (browser_lines.mjs).
//
//   {"do":"publish","url":…,"codec":"h264","source":"marks"}  gives {status, session, etag}; "marks" in place of the
//                                                       fake devices: each second a bright picture and a beep at the same time
//   {"do":"marks","session":…}                          gives by how much each beep left the page later than its flash, ms
//   {"do":"watch","url":…}                              gives {status, session, error}
//   {"do":"stats","session":…}                          gives what the connection has sent or shown so far
//   {"do":"close","session":…}                          closes the connection without a word to the server
import { FAKE_DEVICES, serve } from './browser_lines.mjs';

const [origin] = process.argv.slice(2);

const actions = () => {
  const sessions = {};
  const post = async (connection, url) => {
    await connection.setLocalDescription();
    const headers = { 'Content-Type': 'application/sdp' };
    const response = await fetch(url, { method: 'POST', headers, body: connection.localDescription.sdp });
    const text = await response.text();
    if (response.status !== 201) return { status: response.status, error: text };
    await connection.setRemoteDescription({ type: 'answer', sdp: text });
    const session = response.headers.get('Location');
    sessions[session] = connection;
    return { status: 201, session, etag: response.headers.get('ETag'), ufrag: /a=ice-ufrag:(.*)/.exec(connection.localDescription.sdp)[1] };
  };
  // A dark picture that is bright for a fifth of each second, and a tone for as long: both begin in the same turn of the page.
  const marks = async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const picture = canvas.getContext('2d');
    const audio = new AudioContext({ latencyHint: 'interactive', sampleRate: 48000 });
    await audio.resume();
    const [tone, gain, sound] = [audio.createOscillator(), audio.createGain(), audio.createMediaStreamDestination()];
    tone.frequency.value = 1000;
    gain.gain.value = 0;
    tone.connect(gain).connect(sound);
    tone.start();
    const pictures = canvas.captureStream(0).getVideoTracks()[0];
    // When the track gives the beep out: its place in the samples that come then.
    const later = [];
    let flashed = null;
    const samples = new MediaStreamTrackProcessor({ track: sound.stream.getAudioTracks()[0].clone() }).readable.getReader();
    void (async () => {
      for (;;) {
        const { value, done } = await samples.read();
        if (done) return;
        const came = performance.now();
        const values = new Float32Array(value.numberOfFrames);
        value.copyTo(values, { planeIndex: 0, format: 'f32-planar' });
        const first = values.findIndex((sample) => Math.abs(sample) > 0.02);
        if (flashed !== null && first >= 0) {
          later.push(came - ((values.length - first) / value.sampleRate) * 1000 - flashed);
          flashed = null;
        }
        value.close();
      }
    })();
    let bright = null;
    let drawn = 0;
    const draw = (now) => {
      requestAnimationFrame(draw);
      const mark = now % 1000 < 200;
      if (mark === bright && now - drawn < 32) return;
      if (mark !== bright) gain.gain.value = mark ? 0.5 : 0;
      if (mark && !bright) flashed = performance.now();
      bright = mark;
      drawn = now;
      picture.fillStyle = mark ? '#fff' : '#101010';
      picture.fillRect(0, 0, 320, 180);
      picture.fillStyle = '#888'; // something moves in each picture
      picture.fillRect((now / 10) % 300, 80, 20, 20);
      pictures.requestFrame();
    };
    requestAnimationFrame(draw);
    return Object.assign(new MediaStream([pictures, ...sound.stream.getAudioTracks()]), { later });
  };
  window.actions = {
    async publish({ url, codec, source }) {
      const media = source === 'marks' ? await marks()
        : await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, frameRate: 20 }, audio: true });
      const connection = new RTCPeerConnection();
      for (const track of media.getTracks()) {
        const transceiver = connection.addTransceiver(track, { direction: 'sendonly', streams: [media] });
        if (track.kind !== 'video') continue;
        // A busy machine is to leave pictures out, not to make them smaller.
        await transceiver.sender.setParameters({ ...transceiver.sender.getParameters(), degradationPreference: 'maintain-resolution' });
        const all = RTCRtpSender.getCapabilities('video').codecs;
        transceiver.setCodecPreferences(all.filter(({ mimeType }) => [`video/${codec}`, 'video/rtx'].includes(mimeType.toLowerCase())));
      }
      connection.later = media.later;
      return post(connection, url);
    },
    async marks({ session }) {
      return { sound_later_ms: sessions[session].later };
    },
    async watch({ url }) {
      const connection = new RTCPeerConnection();
      for (const kind of ['video', 'audio']) connection.addTransceiver(kind, { direction: 'recvonly' });
      const video = document.createElement('video');
      Object.assign(video, { autoplay: true, muted: true, srcObject: new MediaStream() });
      connection.ontrack = ({ track }) => video.srcObject.addTrack(track);
      connection.video = video;
      document.body.append(video);
      return post(connection, url);
    },
    async stats({ session }) {
      const connection = sessions[session];
      const found = { state: connection.connectionState, width: connection.video?.videoWidth ?? 0 };
      for (const value of (await connection.getStats()).values()) {
        if (value.type === 'outbound-rtp') found[value.kind] = { frames: value.framesEncoded ?? value.packetsSent, key_frames: value.keyFramesEncoded };
        if (value.type === 'inbound-rtp') {
          found[value.kind] = { frames: value.framesDecoded ?? value.totalSamplesReceived, dropped: value.framesDropped, lost: value.packetsLost };
        }
      }
      return found;
    },
    async close({ session }) {
      sessions[session].close();
      sessions[session].video?.remove();
      delete sessions[session];
      return {};
    },
  };
};

await serve(async (page) => {
  await page.goto(origin);
  await page.evaluate(actions);
}, FAKE_DEVICES);
