// The cameras and microphones of this device, and what the browser says when it does not give one.

export interface DeviceChoice {
  readonly id: string; // '': the browser's own choice
  readonly label: string;
}

/** Those of one kind. Browsers give names only once a person has allowed one of them. */
export async function listDevices(kind: 'videoinput' | 'audioinput'): Promise<DeviceChoice[]> {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === kind);
  const word = kind === 'videoinput' ? 'Camera' : 'Microphone';
  return all.map((device, i) => ({ id: device.deviceId, label: device.label || (all.length > 1 ? `${word} ${i + 1}` : word) }));
}

export interface Wanted {
  readonly camera: string | null; // id; null: none
  readonly microphone: string | null;
  readonly height: number; // lines of the picture, at best
}

export function constraintsOf(wanted: Wanted): MediaStreamConstraints {
  const of = (id: string): MediaTrackConstraints => (id === '' ? {} : { deviceId: { exact: id } });
  return {
    video: wanted.camera === null ? false
      : { ...of(wanted.camera), width: { ideal: Math.round((wanted.height * 16) / 9) }, height: { ideal: wanted.height }, frameRate: { ideal: 30 } },
    audio: wanted.microphone === null ? false : of(wanted.microphone),
  };
}

/** Why this page can use no camera at all; null: it can. */
export function whyNoDevices(): string | null {
  if (!window.isSecureContext || !('mediaDevices' in navigator)) {
    return 'Browsers give pages a camera only on this machine or by HTTPS: open the console by the server’s TLS port.';
  }
  return 'RTCPeerConnection' in window ? null : 'This browser has no WebRTC: it cannot publish.';
}

/** A failure of getUserMedia, in words. */
export function deviceFailure(error: unknown): string {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError': return 'The browser was not allowed to use camera or microphone: allow it beside the address, and try again.';
    case 'NotFoundError': return 'There is no such camera or microphone at this device.';
    case 'NotReadableError': return 'The camera or microphone does not work now: another program may have it.';
    case 'OverconstrainedError': return 'The chosen camera or microphone is not there any more: choose another one.';
    default: return `The browser gives no camera or microphone: ${error instanceof Error ? error.message : String(error)}`;
  }
}
