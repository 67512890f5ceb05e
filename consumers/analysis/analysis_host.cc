#include "consumers/analysis/analysis_host.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <exception>
#include <thread>
#include <utility>

#include "base/log.h"
#include "consumers/analysis/option_reader.h"

namespace millrace {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kDecodersMax = 64;
constexpr std::size_t kResultBytesMax = 5 * 1024 * 1024;  // of one fragment: what one commit takes
constexpr std::size_t kResultsMax = 4000;
constexpr std::size_t kFrameResultBytesMax = 512 * 1024;
constexpr std::size_t kLeadInBytesMax = 64 * 1024 * 1024;
constexpr auto kStreamsPause = std::chrono::milliseconds(20);
constexpr auto kFetchPause = std::chrono::milliseconds(500);

bool OfThisFrame(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kUnsupported;
}
bool OfTheFootage(ErrorCode code) {
  return code == ErrorCode::kCorruption || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kInvalidArgument || code == ErrorCode::kResourceExhausted;
}

// The analyzer itself gave up, and not the footage: told apart by a wrapper, since both come through the
// decoder.
struct AnalyzerFailure {
  Error error;
};

}  // namespace

AnalysisHost::AnalysisHost(FrameAnalyzer& analyzer, AnalysisOptions options, std::unique_ptr<Worker> worker,
                           std::shared_ptr<StreamSet> streams)
    : analyzer_(analyzer),
      options_(std::move(options)),
      identity_{analyzer.name(), analyzer.version(), options_.output},
      form_(analyzer.picture_form()),
      worker_(std::move(worker)),
      media_(options_.endpoint),
      streams_(std::move(streams)) {}

Result<std::unique_ptr<AnalysisHost>> AnalysisHost::Make(FrameAnalyzer& analyzer, AnalysisOptions options) {
  auto streams = std::make_shared<StreamSet>();
  streams->names = options.streams;
  WorkerOptions worker;
  worker.endpoint = options.endpoint;
  worker.application = options.application;
  worker.start = options.start;
  worker.owner = options.owner;
  worker.lease_length = options.lease_length;
  worker.wanted = [streams](const WorkerRecord& record) {
    auto fragment = ParseFragmentDescriptor(record.data);
    return fragment && streams->Contains(fragment->stream);
  };
  MILLRACE_ASSIGN_OR_RETURN(auto started, Worker::Start(std::move(worker)));
  return std::unique_ptr<AnalysisHost>(
      new AnalysisHost(analyzer, std::move(options), std::move(started), std::move(streams)));
}

void AnalysisHost::SetStreams(std::set<std::string> streams) {
  std::lock_guard lock(streams_->mutex);
  streams_->names = std::move(streams);
}

void AnalysisHost::Stop() {
  stopping_ = true;
  worker_->Stop();
}

AnalysisProgress AnalysisHost::progress() const {
  std::lock_guard lock(mutex_);
  AnalysisProgress progress = progress_;
  if (busy_since_) progress.busy = steady_clock::now() - *busy_since_;
  progress.trouble = worker_->trouble();
  return progress;
}

void AnalysisHost::SetFragment(const std::string& fragment) {
  std::lock_guard lock(mutex_);
  progress_.fragment = fragment;
}

void AnalysisHost::SetBusy(bool busy) {
  std::lock_guard lock(mutex_);
  busy_since_.reset();
  if (busy) busy_since_ = steady_clock::now();
}

Result<void> AnalysisHost::Run() {
  while (!stopping_) {
    if (streams_->Empty()) {  // not told yet: nothing may be passed over
      std::this_thread::sleep_for(kStreamsPause);
      continue;
    }
    auto record = worker_->Next(std::chrono::seconds(1));
    if (!record) continue;
    auto handled = Handle(*record);
    SetFragment("");
    if (handled) continue;
    if (handled.error().code == ErrorCode::kCancelled) break;
    if (handled.error().code == ErrorCode::kInternal) return handled;
    // The lease is another's, or the server does not answer: what was not committed comes again.
    Log(LogLevel::kWarning, "results not committed", {{"error", handled.error().ToString()}});
    worker_->GiveUp(*record);
  }
  return {};
}

Result<void> AnalysisHost::Handle(const WorkerRecord& record) {
  MILLRACE_ASSIGN_OR_RETURN(FragmentDescriptor fragment, ParseFragmentDescriptor(record.data));
  const std::string what = fragment.stream + "/" + fragment.fragment_number;
  SetFragment(what);
  if (options_.fragment_begins) options_.fragment_begins();
  auto commit_status = [&](std::string_view status, std::string_view message) {
    std::vector<WorkerResult> results;
    results.push_back(MakeStatusResult(identity_, fragment, Duration{0}, status, message));
    return worker_->Commit(record, results);
  };
  if (options_.when_behind == WhenBehind::kSkip &&
      SystemClock().Now() - record.arrival > options_.skip_after) {
    MILLRACE_RETURN_IF_ERROR(commit_status("SKIPPED", "analysis was behind: newer footage goes first"));
    std::lock_guard lock(mutex_);
    ++progress_.skipped;
    return {};
  }
  if (record.suspect) {
    MILLRACE_ASSIGN_OR_RETURN(std::uint64_t attempts, worker_->Attempt(record, what));
    if (attempts > kAttemptsMax) {
      Log(LogLevel::kError, "a fragment is set aside", {{"fragment", what}});
      MILLRACE_RETURN_IF_ERROR(commit_status("SET_ASIDE", "it has ended the analyzer three times"));
      std::lock_guard lock(mutex_);
      ++progress_.set_aside;
      return {};
    }
  }
  auto results = Analyze(fragment);
  if (!results && results.error().code == ErrorCode::kNotFound) {
    return worker_->Commit(record, {});  // the footage is deleted or expired
  }
  if (!results && OfTheFootage(results.error().code)) {
    Log(LogLevel::kWarning, "a fragment is not readable",
        {{"fragment", what}, {"error", results.error().ToString()}});
    MILLRACE_RETURN_IF_ERROR(commit_status("UNREADABLE", results.error().message));
    std::lock_guard lock(mutex_);
    ++progress_.unreadable;
    return {};
  }
  if (!results) return std::move(results).error();
  MILLRACE_RETURN_IF_ERROR(worker_->Commit(record, *results));
  std::lock_guard lock(mutex_);
  ++progress_.fragments;
  progress_.behind = SystemClock().Now() - record.arrival;
  return {};
}

Result<ParsedFragment> AnalysisHost::Fetch(const FragmentDescriptor& fragment) {
  while (true) {
    auto media = media_.Media(fragment.stream, {fragment.fragment_number});
    if (media) return ParseFragment(SharedBytes(std::move(*media)));
    const ErrorCode code = media.error().code;
    const bool away = code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
                      code == ErrorCode::kInternal;
    if (!away) return std::move(media).error();
    if (stopping_) return Error{ErrorCode::kCancelled, "stopped"};
    std::this_thread::sleep_for(kFetchPause);
  }
}

FragmentDecoder& AnalysisHost::DecoderOf(const std::string& stream) {
  auto found = decoders_.find(stream);
  if (found != decoders_.end()) return *found->second;
  if (decoders_.size() >= kDecodersMax) decoders_.erase(decoders_.begin());
  DecoderOptions options;
  options.selection = options_.selection;
  options.form = form_;
  return *decoders_.emplace(stream, std::make_unique<FragmentDecoder>(options)).first->second;
}

Result<StreamAnalyzer*> AnalysisHost::AnalyzerOf(const std::string& stream) {
  auto found = analyzers_.find(stream);
  if (found != analyzers_.end()) return found->second.get();
  if (analyzers_.size() >= kDecodersMax) analyzers_.erase(analyzers_.begin());
  auto own = options_.stream_options.find(stream);
  auto opened =
      analyzer_.Open(stream, own == options_.stream_options.end() ? options_.options
                                                                  : LaidOver(options_.options, own->second));
  if (!opened) return Error{ErrorCode::kInternal, opened.error().ToString()};
  if (*opened == nullptr) return Error{ErrorCode::kInternal, "the analyzer opened no stream"};
  return analyzers_.emplace(stream, std::move(*opened)).first->second.get();
}

Result<void> AnalysisHost::AnalyzePicture(StreamAnalyzer& analyzer, const FragmentDescriptor& fragment,
                                          const Picture& picture, Timestamp first,
                                          std::vector<WorkerResult>& results, std::size_t& bytes) {
  if (stopping_) return Error{ErrorCode::kCancelled, "stopped"};
  AnalysisFrame frame;
  frame.image = picture.image;
  frame.stream = fragment.stream;
  frame.fragment_number = fragment.fragment_number;
  frame.offset = std::max(Timestamp{picture.timestamp_ns} - first, Duration{0});
  frame.producer_time = fragment.producer_time + frame.offset;
  frame.server_time = fragment.server_time + frame.offset;
  frame.key_frame = picture.key_frame;
  SetBusy(true);
  Result<boost::json::object> found = Error{ErrorCode::kInternal, ""};
  try {
    found = analyzer.Analyze(frame);
  } catch (const std::exception& e) {
    found = Error{ErrorCode::kInternal, std::string("the analyzer threw: ") + e.what()};
  }
  SetBusy(false);
  if (!found && !OfThisFrame(found.error().code)) throw AnalyzerFailure{std::move(found).error()};
  if (results.size() > kResultsMax || bytes > kResultBytesMax) return {};
  WorkerResult result =
      found ? MakeFrameResult(identity_, fragment, frame.offset, *found)
            : MakeStatusResult(identity_, fragment, frame.offset, "FAILED", found.error().message);
  if (result.data.size() > kFrameResultBytesMax) {
    result =
        MakeStatusResult(identity_, fragment, frame.offset, "TRUNCATED", "the frame's result is too large");
  }
  if (results.size() == kResultsMax || bytes + result.data.size() > kResultBytesMax) {
    bytes = kResultBytesMax;
    result =
        MakeStatusResult(identity_, fragment, frame.offset, "TRUNCATED", "the fragment has too many results");
  }
  bytes += result.data.size();
  results.push_back(std::move(result));
  std::lock_guard lock(mutex_);
  ++progress_.frames;
  return {};
}

Result<std::vector<WorkerResult>> AnalysisHost::Analyze(const FragmentDescriptor& fragment) {
  MILLRACE_ASSIGN_OR_RETURN(ParsedFragment parsed, Fetch(fragment));
  Timestamp first{parsed.timestamp_ns};
  bool any = false;
  for (const ParsedFrame& frame : parsed.frames) {
    first.ns = any ? std::min(first.ns, frame.timestamp_ns) : frame.timestamp_ns;
    any = true;
  }
  MILLRACE_ASSIGN_OR_RETURN(StreamAnalyzer* const analyzer, AnalyzerOf(fragment.stream));
  FragmentDecoder& decoder = DecoderOf(fragment.stream);
  LeadIn& lead_in = lead_ins_[fragment.stream];
  if (fragment.independent) {
    lead_in = LeadIn();
  } else {
    for (const ParsedFragment& before : lead_in.fragments) MILLRACE_RETURN_IF_ERROR(decoder.LeadIn(before));
  }
  std::vector<WorkerResult> results;
  std::size_t bytes = 0;
  try {
    auto report = decoder.Decode(parsed, [&](const Picture& picture) {
      return AnalyzePicture(*analyzer, fragment, picture, first, results, bytes);
    });
    if (!report) return std::move(report).error();
  } catch (const AnalyzerFailure& failure) {
    return Error{ErrorCode::kInternal, failure.error.ToString()};
  }
  // What the next one may need, if it begins without a key frame.
  if (options_.selection.kind != FrameSelection::Kind::kKeyFrames &&
      lead_in.bytes + parsed.bytes.size() <= kLeadInBytesMax) {
    lead_in.bytes += parsed.bytes.size();
    lead_in.fragments.push_back(std::move(parsed));
  }
  if (lead_ins_.size() > kDecodersMax) lead_ins_.erase(lead_ins_.begin());
  return results;
}

}  // namespace millrace
