// Times and sizes as people read them. Times are milliseconds since 1970 (UTC) everywhere in the console; what is shown
// is the browser's own time zone. No locale: 2026-11-21 14:03:00 reads the same to everyone who looks at footage.

const two = (n: number): string => String(n).padStart(2, '0');

export const kSecond = 1000;
export const kMinute = 60 * kSecond;
export const kHour = 60 * kMinute;
export const kDay = 24 * kHour;

/** "14:03:22", or "14:03:22.250" with `fraction`. */
export function formatClock(ms: number, fraction = false): string {
  const d = new Date(ms);
  const clock = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return fraction ? `${clock}.${String(d.getMilliseconds()).padStart(3, '0')}` : clock;
}

/** "2026-11-21". */
export function formatDate(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

const kWeekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

/** "Sat 11-21": short enough for a tick, with the weekday that people search by. */
export function formatDay(ms: number): string {
  const d = new Date(ms);
  return `${kWeekdays[d.getDay()]} ${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** "2026-11-21 14:03:22". */
export function formatDateTime(ms: number): string {
  return `${formatDate(ms)} ${formatClock(ms)}`;
}

/** "14:03:22" for today (the day of `now`), else with its date. */
export function formatNear(ms: number, now: number): string {
  return formatDate(ms) === formatDate(now) ? formatClock(ms) : formatDateTime(ms);
}

/** "12 s", "4 min 5 s", "3 h 20 min", "2 d 4 h": the two largest units; tenths below ten seconds. */
export function formatDuration(ms: number): string {
  const total = Math.max(0, ms);
  if (total < 9950) return `${(total / kSecond).toFixed(1).replace(/\.0$/, '')} s`;
  const seconds = Math.round(total / kSecond);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

/** A time of the API or of a link: RFC 3339, or seconds since 1970. null when it is neither. */
export function parseTime(text: string | null | undefined): number | null {
  if (!text) return null;
  if (/^\d{1,12}(\.\d+)?$/.test(text)) return Math.round(Number(text) * kSecond);
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/.test(text)) return null;
  const ms = Date.parse(text.replace(' ', 'T'));
  return Number.isNaN(ms) ? null : ms;
}

/** RFC 3339 in UTC with milliseconds, as the API writes it. */
export function toApiTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The value of an <input type="datetime-local" step="1"> that shows `ms`. */
export function toInputValue(ms: number): string {
  return `${formatDate(ms)}T${formatClock(ms)}`;
}

/** What such an input holds; null while it is incomplete. */
export function fromInputValue(value: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(value)) return null;
  const ms = new Date(value).getTime();
  return Number.isNaN(ms) ? null : ms;
}

/** "4.1 Mbit/s". */
export function formatBitrate(bitsPerSecond: number): string {
  if (bitsPerSecond >= 999_500) return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

/** "1.2 GB" (powers of ten, as disks are sold). */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
