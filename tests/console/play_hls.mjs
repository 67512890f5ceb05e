// Plays recorded HLS in headless Chromium by hls.js, as a page of one's own would, and says what came of it.
//
//   node play_hls.mjs PAGE_URL HLS_JS PLAYLIST_URL...
//
// PAGE_URL: any page of the playlists' origin. Prints one JSON object per playlist: {frames, seconds, width, height} of what was
// shown when the end was reached, or {error} with what hls.js says. Also read: MILLRACE_TEST_MODULES, CHROMIUM.
import { Browser } from './harness.mjs';

const [pageUrl, hlsJs, ...playlists] = process.argv.slice(2);

// Runs in the page. Frames are counted where they are handed to the compositor; none is left out at this rate.
const play = (url) => new Promise((resolve) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const hls = new window.Hls();
  const end = (result) => {
    hls.destroy();
    video.remove();
    resolve(result);
  };
  setTimeout(() => end({ error: `nothing came to an end: ${video.currentTime} s, ready ${video.readyState}` }), 90_000);
  hls.on(window.Hls.Events.ERROR, (_, data) => {
    if (data.fatal) {
      end({ error: `${data.details}: ${data.error?.message ?? data.reason ?? ''}`, status: data.response?.code, text: data.networkDetails?.responseText });
    }
  });
  video.addEventListener('ended', () => {
    const quality = video.getVideoPlaybackQuality();
    end({ frames: quality.totalVideoFrames, seconds: video.duration - video.buffered.start(0), width: video.videoWidth, height: video.videoHeight,
      sound: video.webkitAudioDecodedByteCount > 0 });
  });
  hls.on(window.Hls.Events.MANIFEST_PARSED, () => void video.play());
  hls.loadSource(url);
  hls.attachMedia(video);
});

const browser = await Browser.launch();
try {
  const page = await browser.open({ bypassCSP: true });
  await page.goto(pageUrl);
  await page.addScriptTag({ path: hlsJs });
  for (const url of playlists) console.log(JSON.stringify(await page.evaluate(play, url)));
} finally {
  await browser.close();
}
