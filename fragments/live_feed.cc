#include "fragments/live_feed.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

#include "base/metrics.h"

namespace millrace {
namespace {

constexpr std::size_t kFrameOverheadBytes = 128;  // what a frame takes here beside its bytes, about
constexpr std::size_t kRemembered = 64;           // fragments that were let go, of which the length is kept

struct Entry {
  LiveFragment fragment;
  std::size_t bytes = 0;
  std::chrono::steady_clock::time_point settled;  // when it was persisted or failed

  bool open() const { return fragment.state == LiveState::kOpen; }
  bool settled_state() const {
    return fragment.state == LiveState::kPersisted || fragment.state == LiveState::kFailed;
  }
};

// A subscriber's callback, and the lock that makes letting go wait for it.
struct Subscriber {
  std::recursive_mutex mutex;  // recursive: the callback may let go of its own subscription
  std::shared_ptr<const std::function<void()>> ready;  // none: let go
};

const TrackInfo* VideoOf(const LiveFragment& fragment) {
  const auto video = std::find_if(fragment.tracks.begin(), fragment.tracks.end(),
                                  [](const TrackInfo& track) { return track.kind() == TrackKind::kVideo; });
  return video == fragment.tracks.end() ? nullptr : &*video;
}

// Of an open fragment: its number, and where its pictures (without video: its sound) lie up to now; none
// where there are none yet.
std::optional<FragmentFacts> FactsSoFar(const LiveFragment& fragment) {
  const TrackInfo* video = VideoOf(fragment);
  std::optional<FragmentFacts> facts;
  for (const Frame& frame : fragment.frames) {
    if (video != nullptr && frame.track != video->number) continue;
    const Timestamp frame_end = frame.pts + std::max(frame.duration, Duration{1});
    if (!facts) {
      facts.emplace();
      facts->number = fragment.number;
      facts->server_start = Timestamp::FromMillis(static_cast<std::int64_t>(fragment.number.server_ms));
      facts->start = frame.pts;
    }
    const Timestamp end = std::max(facts->end_time(), frame_end);
    facts->start = std::min(facts->start, frame.pts);
    facts->duration = end - facts->start;
  }
  return facts;
}

}  // namespace

struct LiveFeed::State {
  explicit State(Options o) : options(o) {}

  ~State() { held.Decrement(static_cast<double>(bytes)); }

  const Options options;
  prometheus::Gauge& held = GetGauge("millrace_live_feed_bytes", "Frames in the live feeds of all streams");

  mutable std::mutex mutex;   // guards all below; held for memory operations only
  std::deque<Entry> entries;  // by number, oldest first
  std::deque<std::pair<FragmentNumber, std::size_t>>
      gone;  // by number: fragments let go and how many frames they had
  std::size_t bytes = 0;
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  std::optional<FragmentNumber> newest_persisted;

  Entry* Find(const FragmentNumber& number) {
    const auto at = std::find_if(entries.rbegin(), entries.rend(),
                                 [&](const Entry& entry) { return entry.fragment.number == number; });
    return at == entries.rend() ? nullptr : &*at;
  }

  void Drop(std::deque<Entry>::iterator at) {
    bytes -= at->bytes;
    held.Decrement(static_cast<double>(at->bytes));
    // What failed or was deleted goes out of turn.
    const std::pair let_go(at->fragment.number, at->fragment.frames.size());
    gone.insert(std::upper_bound(gone.begin(), gone.end(), let_go), let_go);
    if (gone.size() > kRemembered) gone.pop_front();
    entries.erase(at);
  }

  // The oldest go first; only the front can go, so that what is held is one stretch. But what failed is
  // nowhere else, and nothing will come of it: it must not take the room of what waits for the disk.
  void Trim() {
    if (subscribers.empty() || bytes > options.bytes_max / 2) {
      for (std::size_t i = entries.size(); i-- > 0;) {
        if (entries[i].fragment.state == LiveState::kFailed)
          Drop(entries.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    const auto now = options.clock->SteadyNow();
    const Duration kept = subscribers.empty() ? Duration{0} : options.keep_after_persisted;
    while (!entries.empty() && entries.front().settled_state() &&
           (bytes > options.bytes_max || now - entries.front().settled >= kept)) {
      Drop(entries.begin());
    }
    while (bytes > options.bytes_max && !entries.empty() && !entries.front().open()) Drop(entries.begin());
  }

  // Runs `change` under the lock, then tells the subscribers outside of it.
  template <typename Change>
  void Update(const Change& change) {
    std::vector<std::shared_ptr<Subscriber>> listeners;
    {
      const std::lock_guard lock(mutex);
      change();
      Trim();
      listeners = subscribers;
    }
    for (const auto& listener : listeners) {
      const std::lock_guard lock(listener->mutex);
      // Kept while it runs, even if it lets go of itself.
      if (const auto ready = listener->ready) (*ready)();
    }
  }

  void Settle(const FragmentNumber& number, LiveState to) {
    Update([&] {
      Entry* entry = Find(number);
      if (entry == nullptr || entry->settled_state()) return;
      entry->fragment.state = to;
      entry->settled = options.clock->SteadyNow();
      if (to == LiveState::kPersisted) newest_persisted = std::max(number, newest_persisted.value_or(number));
    });
  }

  // The newest place to start: a key frame of video, or, without video, the newest fragment.
  std::optional<std::pair<std::size_t, std::size_t>> NewestKeyFrame() const {
    for (std::size_t i = entries.size(); i-- > 0;) {
      const LiveFragment& fragment = entries[i].fragment;
      const TrackInfo* video = VideoOf(fragment);
      if (video == nullptr) return std::pair{i, std::size_t{0}};
      for (std::size_t f = fragment.frames.size(); f-- > 0;) {
        if (fragment.frames[f].key_frame && fragment.frames[f].track == video->number) return std::pair{i, f};
      }
    }
    return std::nullopt;
  }
};

LiveFeed::LiveFeed(Options options) : state_(std::make_shared<State>(options)) {}

void LiveFeed::Open(const FragmentNumber& number, std::uint64_t run, bool independent,
                    std::vector<TrackInfo> tracks) {
  state_->Update([&] {
    Entry entry;
    entry.fragment.number = number;
    entry.fragment.run = run;
    entry.fragment.independent = independent;
    entry.fragment.tracks = std::move(tracks);
    state_->entries.push_back(std::move(entry));
  });
}

void LiveFeed::Add(const FragmentNumber& number, const Frame& frame) {
  state_->Update([&] {
    Entry* entry = state_->Find(number);
    if (entry == nullptr || !entry->open()) return;
    entry->fragment.frames.push_back(frame);
    entry->bytes += frame.data.size() + kFrameOverheadBytes;
    state_->bytes += frame.data.size() + kFrameOverheadBytes;
    state_->held.Increment(static_cast<double>(frame.data.size() + kFrameOverheadBytes));
  });
}

void LiveFeed::Close(const FragmentFacts& facts, std::vector<Frame> frames) {
  state_->Update([&] {
    Entry* entry = state_->Find(facts.number);
    if (entry == nullptr || !entry->open()) return;
    entry->fragment.state = LiveState::kClosed;
    entry->fragment.facts = facts;
    if (frames.size() == entry->fragment.frames.size()) entry->fragment.frames.swap(frames);
  });
  // The frames that were replaced are let go here, outside of the lock.
}

void LiveFeed::SetPersisted(const FragmentNumber& number) { state_->Settle(number, LiveState::kPersisted); }
void LiveFeed::SetFailed(const FragmentNumber& number) { state_->Settle(number, LiveState::kFailed); }

void LiveFeed::Drop(const std::function<bool(const FragmentFacts& facts)>& deleted) {
  state_->Update([&] {
    for (std::size_t i = state_->entries.size(); i-- > 0;) {
      const LiveFragment& fragment = state_->entries[i].fragment;
      const auto facts = fragment.facts ? fragment.facts : FactsSoFar(fragment);
      if (facts && deleted(*facts)) state_->Drop(state_->entries.begin() + static_cast<std::ptrdiff_t>(i));
    }
  });
}

std::vector<LiveFragment> LiveFeed::Fragments() const {
  const std::lock_guard lock(state_->mutex);
  state_->Trim();
  std::vector<LiveFragment> fragments;
  fragments.reserve(state_->entries.size());
  for (const Entry& entry : state_->entries) fragments.push_back(entry.fragment);
  return fragments;
}

std::optional<LiveFragment> LiveFeed::Find(const FragmentNumber& number) const {
  const std::lock_guard lock(state_->mutex);
  const Entry* entry = state_->Find(number);
  if (entry == nullptr) return std::nullopt;
  return entry->fragment;
}

std::optional<FragmentNumber> LiveFeed::NewestPersisted() const {
  const std::lock_guard lock(state_->mutex);
  return state_->newest_persisted;
}

LiveRead LiveFeed::Read(std::optional<LivePosition> position, std::size_t frames_max) const {
  const std::lock_guard lock(state_->mutex);
  const auto& entries = state_->entries;
  LiveRead read;
  std::size_t at = entries.size();
  std::size_t frame = 0;
  if (position) {
    const auto held = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.fragment.number >= position->number;
    });
    at = static_cast<std::size_t>(held - entries.begin());
    if (held != entries.end() && held->fragment.number == position->number) {
      frame = position->frame;
    } else if (held != entries.begin()) {
      // Numbers that were never in the feed: nothing of it was missed.
    } else {
      // Let go meanwhile. Nothing was missed if it was the last one let go, and read to its end.
      const auto& gone = state_->gone;
      const bool read_to_end =
          !gone.empty() && gone.back().first == position->number && gone.back().second <= position->frame;
      read.skipped = !read_to_end && position->number.counter != 0 && !gone.empty() &&
                     gone.back().first >= position->number;
    }
  }
  if (!position || read.skipped || position->number.counter == 0) {
    const auto start = state_->NewestKeyFrame();
    if (!start) {
      read.next = position.value_or(LivePosition{});
      return read;
    }
    at = start->first;
    frame = start->second;
  }
  read.next = position.value_or(LivePosition{});
  while (at < entries.size()) {
    const LiveFragment& fragment = entries[at].fragment;
    for (; frame < fragment.frames.size() && read.frames.size() < frames_max; ++frame) {
      read.frames.push_back(
          {.number = fragment.number, .run = fragment.run, .frame = fragment.frames[frame]});
    }
    read.next = {.number = fragment.number, .frame = frame};
    // An open fragment may still grow, even when a later one is open too.
    if (frame < fragment.frames.size() || entries[at].open()) break;
    ++at;
    frame = 0;
  }
  return read;
}

std::shared_ptr<void> LiveFeed::Subscribe(std::function<void()> ready) {
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->ready = std::make_shared<const std::function<void()>>(std::move(ready));
  {
    const std::lock_guard lock(state_->mutex);
    state_->subscribers.push_back(subscriber);
  }
  const auto let_go = [state = std::weak_ptr<State>(state_), subscriber](void*) {
    if (const auto alive = state.lock()) {
      const std::lock_guard lock(alive->mutex);
      std::erase(alive->subscribers, subscriber);
    }
    const std::lock_guard lock(subscriber->mutex);  // waits for a callback that runs on another thread
    subscriber->ready.reset();
  };
  return std::shared_ptr<void>(subscriber.get(), let_go);
}

void LiveFeed::DropExpired() {
  const std::lock_guard lock(state_->mutex);
  state_->Trim();
}

std::size_t LiveFeed::bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes;
}

bool LiveFeed::live() const {
  const std::lock_guard lock(state_->mutex);
  return std::any_of(state_->entries.begin(), state_->entries.end(),
                     [](const Entry& entry) { return entry.open(); });
}

}  // namespace millrace
