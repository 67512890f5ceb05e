// One page out of src/: index.html names hashed assets, so it may be served `no-cache` and they `immutable`.
import { defineConfig } from 'vite';

// `npm run dev` serves the sources and passes the API on to a running server.
const server = process.env['MILLRACE_ENDPOINT'] ?? 'http://127.0.0.1:4567';

export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy is simplest when everything is a file of our own
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': server, '/hls': server, '/whip': server, '/whep': server, '/healthz': server } },
});
