#include "consumers/analysis/stream_analysis.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "consumers/analysis/fragment_findings.h"

namespace millrace {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kLeadInBytesMax = 64 * 1024 * 1024;
constexpr Duration kLeadInMax = std::chrono::minutes(2);
// Fragments of a run follow each other to the frame; a lost one leaves a gap of its length.
constexpr Duration kFollows = std::chrono::milliseconds(200);
constexpr std::size_t kSetAsideMax = 1000;
constexpr std::size_t kUnreadableMax = 10'000;

bool OfThisFrame(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kUnsupported;
}

bool Follows(const FragmentDescriptor& fragment, const FragmentDescriptor& before) {
  const Duration gap = fragment.producer_time - before.end();
  return fragment.run == before.run && fragment.fragment_number != before.fragment_number &&
         gap >= -kFollows && gap <= kFollows;
}

std::string NameOf(const FragmentDescriptor& fragment) {
  return fragment.stream + "/" + fragment.fragment_number;
}

// The analyzer itself gave up, and not the footage: told apart by a wrapper, since both come through the
// decoder.
struct AnalyzerFailure {
  Error error;
};

// What the analyzer says when it is asked, and how long that took. Throws AnalyzerFailure.
template <typename Ask>
auto Call(AnalysisMeter& meter, Duration& in_analyzer, const Ask& ask) -> decltype(ask()) {
  decltype(ask()) found = Error{ErrorCode::kInternal, "the analyzer threw what is no std::exception"};
  meter.Begins();
  try {
    found = ask();
  } catch (const std::exception& e) {
    found = Error{ErrorCode::kInternal, std::string("the analyzer threw: ") + e.what()};
  } catch (...) {
  }
  in_analyzer += meter.Ended();
  if (!found && !OfThisFrame(found.error().code)) throw AnalyzerFailure{std::move(found).error()};
  return found;
}

}  // namespace

// What one stream's frames are seen with.
struct StreamAnalysis::State {
  explicit State(const DecoderOptions& options) : decoder(options) {}

  std::string stream;
  FragmentDecoder decoder;
  std::unique_ptr<StreamAnalyzer> frames;
  std::unique_ptr<StreamFragmentConsumer> fragments;
  std::optional<FragmentDescriptor> last;  // that was shown, or passed over
  // The last frame that was shown: what ends the state is a record of it. Not without `last`.
  std::optional<std::pair<FragmentDescriptor, Duration>> shown;
  std::vector<WorkerResult> ended;      // of states before, to be given with the next fragment's
  std::vector<ParsedFragment> lead_in;  // since the last one that begins with a key frame
  std::size_t lead_in_bytes = 0;
};

StreamAnalysis::StreamAnalysis(AnalyzerRef analyzer, AnalysisSettings settings, wire::Endpoint endpoint,
                               AnalysisMeter& meter)
    : analyzer_(analyzer),
      settings_(std::move(settings)),
      identity_{analyzer.name(), analyzer.version(), settings_.output},
      form_(analyzer.picture_form()),
      warm_up_(analyzer.warm_up()),
      meter_(meter),
      footage_(std::move(endpoint), [this] { return stopping(); }) {}

StreamAnalysis::~StreamAnalysis() = default;

Result<void> StreamAnalysis::Open(State& state, const std::string& stream) {
  state.frames.reset();
  state.fragments.reset();
  state.last.reset();
  state.shown.reset();
  state.lead_in.clear();
  state.lead_in_bytes = 0;
  try {
    if (analyzer_.frames != nullptr) {
      MILLRACE_ASSIGN_OR_RETURN(state.frames, analyzer_.frames->Open(stream, settings_.options.Of(stream)));
    } else {
      MILLRACE_ASSIGN_OR_RETURN(state.fragments,
                                analyzer_.fragments->Open(stream, settings_.options.Of(stream)));
    }
  } catch (const std::exception& e) {
    return Error{ErrorCode::kInternal, std::string("the analyzer threw: ") + e.what()};
  } catch (...) {
    return Error{ErrorCode::kInternal, "the analyzer threw what is no std::exception"};
  }
  if (state.frames == nullptr && state.fragments == nullptr) {
    return Error{ErrorCode::kInternal, "the analyzer opened no stream"};
  }
  return {};
}

Result<void> StreamAnalysis::CheckOptions(const std::string& stream) {
  State state{DecoderOptions{}};
  auto opened = Open(state, stream);
  if (!opened) return WithContext(std::move(opened).error(), "stream '" + stream + "'");
  return opened;
}

StreamAnalysis::State& StreamAnalysis::StateOf(const std::string& stream) {
  auto found = std::find_if(states_.begin(), states_.end(),
                            [&](const State& state) { return state.stream == stream; });
  if (found != states_.end()) {
    states_.splice(states_.begin(), states_, found);
    return states_.front();
  }
  if (states_.size() >= kStreamsMax) states_.pop_back();
  DecoderOptions options;
  options.selection = settings_.selection;
  options.form = form_;
  options.cancelled = [this] { return stopping(); };
  states_.emplace_front(options).stream = stream;
  return states_.front();
}

WorkerResult StreamAnalysis::StatusOf(const FragmentDescriptor& fragment, std::string_view status,
                                      std::string_view message) const {
  return MakeStatusResult(identity_, fragment, Duration{0}, status, message);
}

void StreamAnalysis::PassOver(const FragmentDescriptor& fragment) {
  State& state = StateOf(fragment.stream);
  if (state.last) state.last = fragment;
  state.lead_in.clear();  // a decoder cannot go on behind what it was not given
  state.lead_in_bytes = 0;
}

void StreamAnalysis::KeepOnly(const std::set<std::string>& streams) {
  std::erase_if(states_, [&](const State& state) { return !streams.contains(state.stream); });
}

void StreamAnalysis::NoteUnreadable(const FragmentDescriptor& fragment, ErrorCode code) {
  if (!IsOfTheFootage(code)) return;
  if (unreadable_.size() >= kUnreadableMax) unreadable_.clear();
  unreadable_.insert(NameOf(fragment));
}

void StreamAnalysis::SetAside(const FragmentDescriptor& fragment) {
  if (set_aside_.size() >= kSetAsideMax) set_aside_.clear();
  set_aside_.insert(NameOf(fragment));
}

Result<ParsedFragment> StreamAnalysis::Fetch(const FragmentDescriptor& fragment) {
  const auto began = steady_clock::now();
  auto parsed = footage_.Fetch(fragment);
  meter_.Add([&](AnalysisProgress& progress) { progress.decoding += steady_clock::now() - began; });
  return parsed;
}

Result<std::vector<WorkerResult>> StreamAnalysis::Analyze(const FragmentDescriptor& fragment, bool warm) {
  State& state = StateOf(fragment.stream);
  auto fetched = Fetch(fragment);
  if (!fetched) {
    NoteUnreadable(fragment, fetched.error().code);
    return std::move(fetched).error();
  }
  ParsedFragment parsed = std::move(*fetched);
  if (!state.last || !Follows(fragment, *state.last)) {
    MILLRACE_RETURN_IF_ERROR(Begin(state, fragment, warm));
  }
  FragmentFindings findings(identity_, fragment);
  auto shown = Show(state, fragment, std::move(parsed), &findings);
  if (!shown) {
    NoteUnreadable(fragment, shown.error().code);
    state.last.reset();  // what it has seen of the fragment is not known
    state.shown.reset();
    return std::move(shown).error();
  }
  std::vector<WorkerResult> results = std::exchange(state.ended, {});
  for (WorkerResult& result : findings.Take()) results.push_back(std::move(result));
  return results;
}

Result<void> StreamAnalysis::Begin(State& state, const FragmentDescriptor& fragment, bool warm) {
  // Without a warm-up nothing is told of what came before a process: only what was shown here is ended.
  std::optional<FragmentDescriptor> before;
  if (analyzer_.frames != nullptr && warm_up_ > Duration{0} && (warm || state.shown)) {
    MILLRACE_ASSIGN_OR_RETURN(before, FootageBefore(fragment));
  }
  // Where others have analysed what lies between, what was open here was ended there.
  if (state.shown && (!before || NameOf(*before) == NameOf(state.last.value()))) {
    MILLRACE_RETURN_IF_ERROR(End(state));
  } else if (warm && before && !Follows(fragment, *before)) {
    MILLRACE_RETURN_IF_ERROR(EndOf(state, *before));
  }
  auto opened = Open(state, fragment.stream);
  if (!opened) return Error{ErrorCode::kInternal, opened.error().ToString()};
  return warm ? WarmUp(state, fragment) : Result<void>();
}

Result<std::optional<FragmentDescriptor>> StreamAnalysis::FootageBefore(const FragmentDescriptor& fragment) {
  auto listed = footage_.List(fragment.stream, fragment.stream_arn, fragment.producer_time - kInterruptionMax,
                              fragment.producer_time);
  if (!listed) return OfTheServer(std::move(listed).error());
  std::erase_if(*listed, [&](const FragmentDescriptor& each) {
    return each.producer_time >= fragment.producer_time || set_aside_.contains(NameOf(each));
  });
  std::optional<FragmentDescriptor> before;
  if (!listed->empty()) before = std::move(listed->back());
  return before;
}

Result<void> StreamAnalysis::End(State& state) {
  const auto last = std::exchange(state.shown, std::nullopt);
  if (!last || state.frames == nullptr) return {};
  Duration in_analyzer{0};
  try {
    auto found = Call(meter_, in_analyzer, [&] { return state.frames->End(); });
    if (found && found->empty()) return {};
    FragmentFindings findings(identity_, last->first);
    findings.Add(last->second, found);
    for (WorkerResult& result : findings.Take()) {
      result.key += "END";  // the frame has a record of its own
      state.ended.push_back(std::move(result));
    }
  } catch (const AnalyzerFailure& failure) {
    return Error{ErrorCode::kInternal, failure.error.ToString()};
  }
  return {};
}

Result<void> StreamAnalysis::EndOf(State& state, const FragmentDescriptor& before) {
  if (unreadable_.contains(NameOf(before))) return {};
  auto opened = Open(state, before.stream);
  if (!opened) return Error{ErrorCode::kInternal, opened.error().ToString()};
  MILLRACE_RETURN_IF_ERROR(WarmUp(state, before));
  auto parsed = Fetch(before);
  Result<void> shown =
      parsed ? Show(state, before, std::move(*parsed), nullptr) : Result<void>(parsed.error());
  if (shown) return End(state);
  const ErrorCode code = shown.error().code;
  if (!IsOfTheFootage(code) && code != ErrorCode::kNotFound) return shown;
  NoteUnreadable(before, code);
  return {};
}

Result<void> StreamAnalysis::WarmUp(State& state, const FragmentDescriptor& fragment) {
  const bool pictures =
      analyzer_.frames != nullptr && settings_.selection.kind != FrameSelection::Kind::kKeyFrames;
  if (warm_up_ == Duration{0} && (fragment.independent || !pictures)) return {};
  const Timestamp from = fragment.producer_time - warm_up_;
  auto listed =
      footage_.List(fragment.stream, fragment.stream_arn, from - kLeadInMax, fragment.producer_time);
  if (!listed) return OfTheServer(std::move(listed).error());
  std::erase_if(*listed, [&](const FragmentDescriptor& each) {
    return each.run != fragment.run || each.producer_time >= fragment.producer_time ||
           set_aside_.contains(NameOf(each));
  });
  // Those that lead up to the fragment without a gap, as far as they are wanted, and the decoder needs them.
  std::size_t first = listed->size();
  const FragmentDescriptor* after = &fragment;
  while (first > 0 && Follows(*after, (*listed)[first - 1])) {
    if (after->producer_time <= from && (after->independent || !pictures)) break;
    if (unreadable_.contains(NameOf((*listed)[first - 1]))) break;  // it would begin anew there, see below
    after = &(*listed)[--first];
  }
  for (std::size_t i = first; i < listed->size(); ++i) {
    const FragmentDescriptor& each = (*listed)[i];
    if (stopping()) return Error{ErrorCode::kCancelled, "stopped"};
    auto parsed = Fetch(each);
    Result<void> shown = parsed ? Result<void>() : Result<void>(parsed.error());
    if (parsed && each.end() <= from) {
      Keep(state, each, std::move(*parsed));
    } else if (parsed) {
      shown = Show(state, each, std::move(*parsed), nullptr);
    }
    if (shown) continue;
    const ErrorCode code = shown.error().code;
    if (!IsOfTheFootage(code) && code != ErrorCode::kNotFound) return shown;
    NoteUnreadable(each, code);
    // What cannot be read interrupts the footage here as it did when it was analysed.
    auto opened = Open(state, fragment.stream);
    if (!opened) return Error{ErrorCode::kInternal, opened.error().ToString()};
  }
  return {};
}

// What the next one may need, if it begins without a key frame.
void StreamAnalysis::Keep(State& state, const FragmentDescriptor& fragment, ParsedFragment parsed) {
  state.last = fragment;
  if (analyzer_.frames == nullptr || settings_.selection.kind == FrameSelection::Kind::kKeyFrames) return;
  if (fragment.independent) {
    state.lead_in.clear();
    state.lead_in_bytes = 0;
  }
  if (state.lead_in_bytes + parsed.bytes.size() > kLeadInBytesMax) return;
  state.lead_in_bytes += parsed.bytes.size();
  state.lead_in.push_back(std::move(parsed));
}

Result<void> StreamAnalysis::Show(State& state, const FragmentDescriptor& fragment, ParsedFragment parsed,
                                  FragmentFindings* findings) {
  MILLRACE_RETURN_IF_ERROR(analyzer_.frames != nullptr ? ShowPictures(state, fragment, parsed, findings)
                                                       : ShowFragment(state, fragment, parsed, findings));
  Keep(state, fragment, std::move(parsed));
  return {};
}

Result<void> StreamAnalysis::ShowPictures(State& state, const FragmentDescriptor& fragment,
                                          const ParsedFragment& parsed, FragmentFindings* findings) {
  Timestamp first{parsed.timestamp_ns};
  bool any = false;
  for (const ParsedFrame& frame : parsed.frames) {
    first.ns = any ? std::min(first.ns, frame.timestamp_ns) : frame.timestamp_ns;
    any = true;
  }
  const auto began = steady_clock::now();
  Duration in_analyzer{0};
  std::optional<Duration> shown;
  if (!fragment.independent) {
    for (const ParsedFragment& before : state.lead_in) {
      MILLRACE_RETURN_IF_ERROR(state.decoder.LeadIn(before));
    }
  }
  auto show = [&](const Picture& picture) -> Result<void> {
    if (stopping()) return Error{ErrorCode::kCancelled, "stopped"};
    AnalysisFrame frame;
    frame.image = picture.image;
    frame.stream = fragment.stream;
    frame.fragment_number = fragment.fragment_number;
    frame.offset = std::max(Timestamp{picture.timestamp_ns} - first, Duration{0});
    frame.producer_time = fragment.producer_time + frame.offset;
    frame.server_time = fragment.server_time + frame.offset;
    frame.key_frame = picture.key_frame;
    auto found = Call(meter_, in_analyzer, [&] { return state.frames->Analyze(frame); });
    shown = frame.offset;
    if (findings == nullptr) return {};
    findings->Add(frame.offset, found);
    meter_.Add([](AnalysisProgress& progress) { ++progress.frames; });
    return {};
  };
  try {
    auto report = state.decoder.Decode(parsed, show);
    meter_.Add(
        [&](AnalysisProgress& progress) { progress.decoding += steady_clock::now() - began - in_analyzer; });
    if (!report) return std::move(report).error();
  } catch (const AnalyzerFailure& failure) {
    return Error{ErrorCode::kInternal, failure.error.ToString()};
  }
  if (shown) state.shown.emplace(fragment, *shown);
  return {};
}

Result<void> StreamAnalysis::ShowFragment(State& state, const FragmentDescriptor& fragment,
                                          const ParsedFragment& parsed, FragmentFindings* findings) {
  const ConsumedFragment shown{.stream = fragment.stream,
                               .fragment_number = fragment.fragment_number,
                               .producer_time = fragment.producer_time,
                               .server_time = fragment.server_time,
                               .duration = fragment.duration,
                               .run = fragment.run,
                               .parsed = parsed};
  Duration in_analyzer{0};
  try {
    auto found = Call(meter_, in_analyzer, [&] { return state.fragments->Consume(shown); });
    if (findings == nullptr) return {};
    if (!found) findings->Add(Duration{0}, std::move(found).error());
    if (found) {
      for (FragmentFinding& finding : *found) {
        findings->Add(std::max(finding.offset, Duration{0}), std::move(finding.found));
      }
    }
  } catch (const AnalyzerFailure& failure) {
    return Error{ErrorCode::kInternal, failure.error.ToString()};
  }
  return {};
}

}  // namespace millrace
