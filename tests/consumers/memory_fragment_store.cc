#include "memory_fragment_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace millrace::testing {

Result<MemoryFragmentStore::Stream*> MemoryFragmentStore::Find(const std::string& name) {
  auto found = streams_.find(name);
  if (found == streams_.end()) return Error{ErrorCode::kNotFound, "stream '" + name + "' does not exist"};
  return &found->second;
}

void MemoryFragmentStore::Put(const std::string& name, Fragment fragment) {
  std::lock_guard lock(mutex_);
  Stream& stream = streams_.at(name);
  const FragmentNumber number = fragment.facts.number;
  stream.next_counter = std::max(stream.next_counter, number.counter + 1);
  stream.fragments.insert_or_assign(number, std::move(fragment));
}

void MemoryFragmentStore::Remove(const std::string& name, std::uint64_t counter) {
  std::lock_guard lock(mutex_);
  std::erase_if(streams_.at(name).fragments,
                [&](const auto& entry) { return entry.first.counter == counter; });
}

Result<VideoStream> MemoryFragmentStore::CreateStream(const std::string& name, StreamSettings settings) {
  std::lock_guard lock(mutex_);
  if (streams_.contains(name)) return Error{ErrorCode::kAlreadyExists, name};
  Stream& stream = streams_[name];
  stream.stream = {name, Timestamp::FromMillis(static_cast<std::int64_t>(created_ms_++)), settings.retention};
  stream.description = std::make_shared<const StreamDescription>(
      StreamDescription{.name = name, .created = stream.stream.created, .settings = std::move(settings)});
  return stream.stream;
}

Result<VideoStream> MemoryFragmentStore::GetStream(const std::string& name) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  return stream->stream;
}

std::vector<VideoStream> MemoryFragmentStore::ListStreams() {
  std::lock_guard lock(mutex_);
  std::vector<VideoStream> streams;
  for (const auto& [name, stream] : streams_) streams.push_back(stream.stream);
  return streams;
}

Result<StreamDescriptionPtr> MemoryFragmentStore::DescribeStream(const std::string& name) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  return stream->description;
}

std::vector<StreamDescriptionPtr> MemoryFragmentStore::FindStreams(const StreamQuery& query) {
  std::lock_guard lock(mutex_);
  std::vector<StreamDescriptionPtr> found;
  for (const auto& [name, stream] : streams_) {
    if (name > query.after && name.starts_with(query.prefix) && found.size() < query.limit) {
      found.push_back(stream.description);
    }
  }
  return found;
}

Result<StreamDescriptionPtr> MemoryFragmentStore::UpdateStream(const std::string& name,
                                                               const StreamUpdate& update) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  StreamDescription changed = *stream->description;
  MILLRACE_RETURN_IF_ERROR(update.change(changed.settings));
  ++changed.revision;
  stream->stream.retention = changed.settings.retention;
  stream->description = std::make_shared<const StreamDescription>(std::move(changed));
  return stream->description;
}

Result<void> MemoryFragmentStore::DeleteStream(const std::string& name,
                                               const StreamCondition& /*condition*/) {
  std::lock_guard lock(mutex_);
  if (streams_.erase(name) == 0) return Error{ErrorCode::kNotFound, name};
  return {};
}

Result<StreamUsage> MemoryFragmentStore::Usage(const std::string& name) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  StreamUsage usage;
  for (const auto& [number, fragment] : stream->fragments) {
    ++usage.fragments;
    usage.bytes += fragment.facts.bytes;
    usage.first = std::min(usage.first.value_or(fragment.facts.start), fragment.facts.start);
    usage.last = std::max(usage.last.value_or(fragment.facts.end_time()), fragment.facts.end_time());
  }
  return usage;
}

Result<FragmentNumber> MemoryFragmentStore::OpenFragment(const VideoStream& stream) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * found, Find(stream.name));
  return FragmentNumber{.counter = found->next_counter++, .server_ms = 1'700'000'000'000, .random = 7};
}

Result<std::uint64_t> MemoryFragmentStore::OpenRun(const VideoStream& stream) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * found, Find(stream.name));
  return found->next_run++;
}

void MemoryFragmentStore::Append(const VideoStream& stream, Fragment fragment, AppendCallback done) {
  const FragmentNumber number = fragment.facts.number;
  Put(stream.name, std::move(fragment));
  done(number);
}

Result<std::vector<FragmentFacts>> MemoryFragmentStore::List(const std::string& name,
                                                             const FragmentQuery& query) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  std::vector<const FragmentFacts*> found;
  for (const auto& [number, fragment] : stream->fragments) {
    const Timestamp time =
        query.order == FragmentOrder::kServerTime ? fragment.facts.server_start : fragment.facts.start;
    if (query.order == FragmentOrder::kNumber) {
      if (query.from_number && number < *query.from_number) continue;
      if (query.to_number && number > *query.to_number) continue;
    } else if ((query.from && time < *query.from) || (query.to && time > *query.to)) {
      continue;
    }
    found.push_back(&fragment.facts);
  }
  if (query.order != FragmentOrder::kNumber) {
    std::stable_sort(found.begin(), found.end(), [&](const FragmentFacts* a, const FragmentFacts* b) {
      return query.order == FragmentOrder::kServerTime ? a->server_start < b->server_start
                                                       : a->start < b->start;
    });
  }
  if (query.descending) std::reverse(found.begin(), found.end());
  std::vector<FragmentFacts> facts;
  for (std::size_t i = 0; i < found.size() && i < query.limit; ++i) facts.push_back(*found[i]);
  listed_ += facts.size();
  return facts;
}

Result<FragmentFacts> MemoryFragmentStore::FindContaining(const std::string& name, Timestamp time) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  for (auto entry = stream->fragments.rbegin(); entry != stream->fragments.rend(); ++entry) {
    const FragmentFacts& facts = entry->second.facts;
    if (facts.start <= time && time < facts.end_time()) return facts;
  }
  return Error{ErrorCode::kNotFound, "no footage at " + FormatRfc3339(time)};
}

Result<FragmentFacts> MemoryFragmentStore::Get(const std::string& name, const FragmentNumber& number) {
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  auto found = stream->fragments.find(number);
  if (found == stream->fragments.end()) return Error{ErrorCode::kNotFound, "fragment " + number.ToString()};
  return found->second.facts;
}

Result<Fragment> MemoryFragmentStore::Read(const std::string& name, const FragmentNumber& number) {
  ++reads_;
  if (read_hook_) read_hook_();
  std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  auto found = stream->fragments.find(number);
  if (found == stream->fragments.end()) return Error{ErrorCode::kNotFound, "fragment " + number.ToString()};
  return found->second;
}

Result<std::vector<CoverageInterval>> MemoryFragmentStore::Coverage(const std::string& /*name*/,
                                                                    Timestamp /*start*/, Timestamp /*end*/,
                                                                    std::size_t /*limit*/) {
  return std::vector<CoverageInterval>{};
}

Result<std::shared_ptr<LiveFeed>> MemoryFragmentStore::Live(const std::string& name) {
  return Error{ErrorCode::kUnsupported, "no live feed of '" + name + "' in memory"};
}

void TestRecorder::Record(const std::vector<TrackInfo>& tracks, const std::vector<Frame>& frames) {
  auto started = builder_.StartRun(tracks, ClockSource::kCamera);
  ASSERT_TRUE(started) << started.error().ToString();
  for (const Frame& frame : frames) {
    auto pushed = builder_.Push(frame);
    ASSERT_TRUE(pushed) << pushed.error().ToString();
  }
  builder_.EndRun();
}

}  // namespace millrace::testing
