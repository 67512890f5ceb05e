// The dialogs that change the fleet: add or change a camera, remove one, purge a stream. What the server answers to a
// mistake is shown as it is: its messages say what to do.
import * as api from '../api.js';
import { field, openDialog } from '../dialog.js';
import { h } from '../dom.js';
import { formatDateTime } from '../time.js';

export type Done = (message: string, stream: string | null) => void;

/** Adds a camera (`camera` null) or changes one. */
export function cameraDialog(camera: api.Camera | null, existing: readonly string[], done: Done): void {
  const text = (value: string, placeholder = ''): HTMLInputElement =>
    h('input', { type: 'text', value, placeholder, spellcheck: false, autocapitalize: 'off' });
  const name = text(camera?.name ?? '', 'front-door');
  name.disabled = camera !== null;
  const url = text(camera?.url ?? '', 'rtsp://192.168.1.20/stream1');
  const user = text('', camera?.has_credentials ? 'unchanged' : '');
  user.autocomplete = 'off';
  const password = h('input', { type: 'password', autocomplete: 'new-password', placeholder: camera?.has_credentials ? 'unchanged' : '' });
  const transport = h('select', null, h('option', { value: 'tcp' }, 'TCP'), h('option', { value: 'udp' }, 'UDP'));
  transport.value = camera?.transport ?? 'tcp';
  const retention = h('input', { type: 'number', min: '0', step: '1', value: String(camera?.retention_hours ?? 168) });
  const enabled = h('input', { type: 'checkbox', checked: camera?.enabled ?? true, id: 'camera-enabled' });
  const faces = h('input', { type: 'checkbox', checked: camera?.analyzers.includes('faces') ?? false, id: 'camera-faces' });
  const forget = h('input', { type: 'checkbox', id: 'camera-forget' });

  const settings = (): api.CameraSettings => {
    const result: api.CameraSettings = {
      url: url.value.trim(),
      transport: transport.value === 'udp' ? 'udp' : 'tcp',
      enabled: enabled.checked,
    };
    // A put replaces all settings: what this form does not show goes back as it came.
    if (camera) Object.assign(result, { stream: camera.stream, labels: camera.labels });
    const others = camera?.analyzers.filter((analyzer) => analyzer !== 'faces') ?? [];
    const analyzers = faces.checked ? [...others, 'faces'] : others;
    if (camera || analyzers.length > 0) result.analyzers = analyzers;
    if (retention.value !== '') result.retention_hours = Number(retention.value);
    if (forget.checked) {
      result.username = '';
    } else if (user.value !== '' || password.value !== '') {
      if (user.value === '') throw new Error('Give the user too: the server does not tell the one it knows.');
      result.username = user.value;
      result.password = password.value;
    }
    return result;
  };

  openDialog({
    title: camera ? `Change ${camera.name}` : 'Add camera',
    body: [
      field('Name', name, camera ? '' : 'Letters, digits and _ . - ; it names the stream too.'),
      field('URL', url, 'rtsp:// or rtsps://'),
      h('div', { className: 'field-pair' }, field('User', user), field('Password', password)),
      camera?.has_credentials
        ? h('label', { className: 'check', htmlFor: forget.id }, forget, 'Remove user and password') : null,
      h('div', { className: 'field-pair' }, field('Transport', transport), field('Keep footage, hours', retention)),
      h('label', { className: 'check', htmlFor: enabled.id }, enabled, 'Record'),
      h('label', { className: 'check', htmlFor: faces.id }, faces, 'Look for faces'),
    ],
    action: camera ? 'Save' : 'Add camera',
    run: async () => {
      const wanted = name.value.trim();
      if (!/^[a-zA-Z0-9_.-]{1,128}$/.test(wanted)) {
        throw new Error('A name has 1 to 128 letters, digits, underscores, points or hyphens.');
      }
      if (!camera && existing.includes(wanted)) throw new Error(`There is a camera '${wanted}' already.`);
      const answer = await api.putCamera(wanted, settings());
      done(camera ? `${wanted} is changed.` : `${wanted} is added.`, answer.stream);
    },
  });
  (camera ? url : name).focus();
}

export function removeDialog(camera: api.Camera, done: Done): void {
  const choice = (value: string, checked: boolean, title: string, words: string): [HTMLInputElement, HTMLElement] => {
    const input = h('input', { type: 'radio', name: 'footage', value, checked, id: `footage-${value}` });
    return [input, h('label', { className: 'choice', htmlFor: input.id }, input,
      h('span', null, h('strong', null, title), h('span', { className: 'hint' }, words)))];
  };
  const [, keepRow] = choice('keep', true, 'Keep its footage',
    `It can be played until its retention (${camera.retention_hours} h) is over.`);
  const [purge, purgeRow] = choice('purge', false, 'Purge its footage', 'At once, and for good.');
  const group = h('fieldset', null, h('legend', null, 'What becomes of the footage?'), keepRow, purgeRow);
  openDialog({
    title: `Remove ${camera.name}`,
    body: [group],
    action: 'Remove camera',
    dangerous: true,
    run: async () => {
      const answer = await api.removeCamera(camera.name, purge.checked ? 'purge' : 'keep');
      const fate = purge.checked ? 'Its footage is purged.'
        : answer.kept_until ? `Its footage is kept until ${formatDateTime(Date.parse(answer.kept_until))}.` : 'Its footage is kept.';
      done(`${camera.name} is removed. ${fate}`, null);
    },
  });
}

export function purgeDialog(stream: string, done: Done): void {
  openDialog({
    title: `Purge ${stream}`,
    body: [h('p', null, `The stream and all of its footage go at once, and for good.`)],
    action: 'Purge footage',
    dangerous: true,
    run: async () => {
      await api.purgeStream(stream);
      done(`${stream} is purged.`, null);
    },
  });
}
