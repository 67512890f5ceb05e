// GetMedia and GetMediaForFragmentList.
#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <span>

#include "api/aws/async_event.h"
#include "api/aws/aws_http.h"
#include "api/video_streams/media_sender.h"
#include "api/video_streams/video_stream_access.h"
#include "api/video_streams/video_stream_requests.h"
#include "base/log.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kPage = 32;  // fragments that are looked up at a time
constexpr std::size_t kFragmentListMax = 1000;
constexpr auto kPollEvery = std::chrono::seconds(1);         // for fragments that no live feed tells of
constexpr auto kLookEvery = std::chrono::milliseconds(250);  // whether the reader is still there
constexpr auto kKeepAliveEvery = std::chrono::seconds(10);
// A reader that got nothing at all cannot be told from one that is gone.
constexpr auto kFirstChunkWait = std::chrono::minutes(10);
constexpr auto kBusyPause = std::chrono::milliseconds(100);

constexpr std::array<std::string_view, 6> kStartSelectors{
    "FRAGMENT_NUMBER", "SERVER_TIMESTAMP", "PRODUCER_TIMESTAMP", "NOW", "EARLIEST", "CONTINUATION_TOKEN"};

ResponseHead MediaHead() {
  ResponseHead head{200, {}};
  AddRequestIds(head.headers, AwsService::kVideoStreams);
  head.headers.Add("Content-Type", "video/webm");
  head.headers.Add("Cache-Control", "no-store");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  return head;
}

// Where reading goes on: with the first fragment from `from` on, or behind it.
struct Cursor {
  std::optional<FragmentNumber> from;  // none: the oldest
  bool behind = false;
};

struct MediaRequest {
  VideoStream stream;
  MediaFilter filter;
  Cursor start;
};

AwsError Missing(const char* member, const std::string& selector) {
  return {"InvalidArgumentException",
          std::string(member) + " is required for a StartSelectorType of " + selector + "."};
}

AwsResult<Cursor> Behind(const std::string& number, const char* member) {
  const auto parsed = FragmentNumber::Parse(number);
  if (!parsed) return AwsError("InvalidArgumentException", std::string(member) + " is no fragment's number.");
  return Cursor{*parsed, true};
}

// The fragment that contains the time, else the first one that starts after it; where there is none yet, the
// one that comes next.
Result<Cursor> FromTime(FragmentStore& store, const std::string& name, FragmentOrder order, Timestamp time) {
  FragmentQuery before{.order = order, .to = time, .descending = true, .limit = 1};
  // Producer times may run backwards between runs: the store knows which fragment contains one.
  if (order == FragmentOrder::kProducerTime) {
    const auto containing = store.FindContaining(name, time);
    if (containing) return Cursor{containing->number, false};
    if (containing.error().code != ErrorCode::kNotFound) return containing.error();
  } else {
    MILLRACE_ASSIGN_OR_RETURN(const auto found, store.List(name, before));
    if (!found.empty() && found[0].server_start + found[0].duration > time)
      return Cursor{found[0].number, false};
  }
  FragmentQuery after{.order = order, .from = time, .limit = 1};
  MILLRACE_ASSIGN_OR_RETURN(const auto next, store.List(name, after));
  if (!next.empty()) return Cursor{next[0].number, false};
  FragmentQuery newest{.order = FragmentOrder::kNumber, .descending = true, .limit = 1};
  MILLRACE_ASSIGN_OR_RETURN(const auto last, store.List(name, newest));
  if (last.empty()) return Cursor{};
  return Cursor{last[0].number, true};
}

AwsResult<MediaRequest> ReadMediaRequest(const VideoStreamServices& services,
                                         const boost::json::object& object) {
  AwsInput input(object);
  std::optional<std::string> type, after, token;
  std::optional<Timestamp> time;
  if (auto selector = input.Structure("StartSelector", true)) {
    type = selector->String("StartSelectorType", {.required = true, .values = kStartSelectors});
    after = selector->String("AfterFragmentNumber", {.min = 1, .max = 128, .pattern = kAwsDigitsPattern});
    time = selector->Time("StartTimestamp");
    token = selector->String("ContinuationToken", {.min = 1, .max = 128, .pattern = kAwsNamePattern});
  }
  MediaRequest request;
  request.filter = ReadMediaFilter(input);
  MILLRACE_ASSIGN_OR_RETURN(request.stream, FindVideoStream(services, input));
  const std::string& name = request.stream.name;
  if (*type == "FRAGMENT_NUMBER") {
    if (!after) return Missing("AfterFragmentNumber", *type);
    MILLRACE_ASSIGN_OR_RETURN(request.start, Behind(*after, "AfterFragmentNumber"));
  } else if (*type == "CONTINUATION_TOKEN") {
    if (!token) return Missing("ContinuationToken", *type);
    MILLRACE_ASSIGN_OR_RETURN(request.start, Behind(*token, "ContinuationToken"));
  } else if (*type == "NOW") {
    FragmentQuery newest{.order = FragmentOrder::kNumber, .descending = true, .limit = 1};
    auto last = services.store.List(name, newest);
    if (!last) return OfVideoStream(std::move(last).error());
    if (!last->empty()) request.start = Cursor{last->front().number, false};
  } else if (*type != "EARLIEST") {
    if (!time) return Missing("StartTimestamp", *type);
    const auto order =
        *type == "SERVER_TIMESTAMP" ? FragmentOrder::kServerTime : FragmentOrder::kProducerTime;
    auto start = FromTime(services.store, name, order, *time);
    if (!start) return OfVideoStream(std::move(start).error());
    request.start = *start;
  }
  return request;
}

// What comes next in a stream, oldest first, and the server time of the newest there is.
struct Page {
  std::vector<FragmentFacts> fragments;
  Timestamp newest;
};

Result<Page> NextPage(FragmentStore& store, const VideoStream& stream, const Cursor& cursor) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream now, store.GetStream(stream.name));
  if (now.created != stream.created) return Error{ErrorCode::kNotFound, "the stream was made again"};
  FragmentQuery query{.order = FragmentOrder::kNumber, .from_number = cursor.from, .limit = kPage + 1};
  Page page;
  MILLRACE_ASSIGN_OR_RETURN(page.fragments, store.List(stream.name, query));
  auto& fragments = page.fragments;
  if (cursor.behind && !fragments.empty() && fragments[0].number == cursor.from)
    fragments.erase(fragments.begin());
  if (fragments.empty()) return page;
  page.newest = fragments.back().server_start;
  if (fragments.size() >= kPage) {
    FragmentQuery newest{.order = FragmentOrder::kNumber, .descending = true, .limit = 1};
    MILLRACE_ASSIGN_OR_RETURN(const auto last, store.List(stream.name, newest));
    if (!last.empty()) page.newest = last[0].server_start;
  }
  return page;
}

// Sends what there is, and then what comes, until the reader or the stream is gone.
class MediaSession {
 public:
  MediaSession(const VideoStreamServices& services, MediaRequest request, ResponseWriter& writer,
               std::shared_ptr<LiveFeed> feed)
      : services_(services),
        request_(std::move(request)),
        writer_(writer),
        feed_(std::move(feed)),
        cursor_(request_.start),
        sender_(services_, request_.stream, request_.filter, writer_) {}

  net::awaitable<void> Run() {
    AsyncEvent changed(co_await net::this_coro::executor);
    const auto subscription = feed_->Subscribe(changed.Setter());
    auto list = [&]() -> Result<Page> { return NextPage(services_.store, request_.stream, cursor_); };
    last_sent_ = SteadyClock::now();
    bool going_on = true;
    while (going_on) {
      newest_listed_ = feed_->NewestPersisted();
      auto page = co_await services_.pool.Run(list);
      if (!page) {
        going_on = co_await AfterFailure(std::move(page).error());
      } else if (page->fragments.empty()) {
        going_on = co_await WaitForMore(changed);
      } else {
        going_on = co_await SendAll(*page);
      }
    }
    if (!gone_) (void)co_await writer_.Finish();
  }

 private:
  // False: the session is over.
  net::awaitable<bool> AfterFailure(Error error) {
    if (error.code == ErrorCode::kNotFound) co_return false;  // the stream was deleted
    if (error.code == ErrorCode::kResourceExhausted) {        // of the pool
      net::steady_timer pause(co_await net::this_coro::executor, kBusyPause);
      co_await pause.async_wait(net::as_tuple(net::use_awaitable));
      co_return true;
    }
    Log(LogLevel::kError, "media cannot be read",
        {{"stream", request_.stream.name}, {"error", error.ToString()}});
    (void)co_await Told(sender_.SendError(cursor_.from ? cursor_.from->ToString() : "0", kMediaInternalError,
                                          "Internal error"));
    co_return false;
  }

  net::awaitable<bool> SendAll(const Page& page) {
    std::vector<MediaSender::Item> items;
    items.reserve(page.fragments.size());
    for (const FragmentFacts& facts : page.fragments) {
      MediaPlace place;
      place.behind_now = std::max(page.newest - facts.server_start, Duration{0});
      place.continuation_token = facts.number.ToString();
      items.push_back({facts.number, facts.bytes, std::move(place)});
    }
    for (std::size_t at = 0; at < items.size();) {
      if (writer_.ShouldEnd()) co_return false;
      const std::span<const MediaSender::Item> rest(items.data() + at, items.size() - at);
      const MediaSender::Sent sent = co_await sender_.Send(rest);
      at += sent.items;
      const FragmentNumber number = items[at - 1].number;
      cursor_ = Cursor{number, true};
      if (sent.last) {
        last_sent_ = SteadyClock::now();
        continue;
      }
      const ErrorCode code = sent.last.error().code;
      if (code == ErrorCode::kNotFound) continue;  // expired meanwhile, or nothing of it passes the filter
      if (code == ErrorCode::kCancelled) {
        gone_ = true;
        co_return false;
      }
      Log(LogLevel::kError, "a fragment cannot be read",
          {{"stream", request_.stream.name},
           {"fragment", number.ToString()},
           {"error", sent.last.error().ToString()}});
      const bool told =
          co_await Told(sender_.SendError(number.ToString(), kMediaInternalError, "Internal error"));
      if (!told) co_return false;
    }
    co_return true;
  }

  net::awaitable<bool> WaitForMore(AsyncEvent& changed) {
    const auto poll = SteadyClock::now() + kPollEvery;
    while (SteadyClock::now() < poll) {
      (void)co_await changed.Wait(std::min(poll, SteadyClock::now() + kLookEvery));
      if (writer_.ShouldEnd()) co_return false;
      if (feed_->NewestPersisted() != newest_listed_) break;
    }
    const auto silent = SteadyClock::now() - last_sent_;
    if (!sender_.anything_sent()) co_return silent < kFirstChunkWait;
    if (silent < kKeepAliveEvery) co_return true;
    last_sent_ = SteadyClock::now();
    co_return co_await Told(sender_.SendKeepAlive());
  }

  // Whether the reader is still there.
  net::awaitable<bool> Told(net::awaitable<Result<void>> sending) {
    const auto sent = co_await std::move(sending);
    gone_ = !sent;
    co_return !gone_;
  }

  const VideoStreamServices& services_;
  const MediaRequest request_;
  ResponseWriter& writer_;
  const std::shared_ptr<LiveFeed> feed_;
  Cursor cursor_;
  MediaSender sender_;
  std::optional<FragmentNumber> newest_listed_;  // what the feed had before the store was asked
  SteadyClock::time_point last_sent_;
  bool gone_ = false;  // the answer is cut off
};

struct FragmentListRequest {
  VideoStream stream;
  MediaFilter filter;
  std::vector<std::string> numbers;
};

AwsResult<FragmentListRequest> ReadFragmentList(const VideoStreamServices& services,
                                                const boost::json::object& object) {
  AwsInput input(object);
  FragmentListRequest request;
  request.numbers = input.Strings("Fragments", {.required = true, .min = 1, .max = kFragmentListMax},
                                  {.min = 1, .max = 128, .pattern = kAwsDigitsPattern});
  request.filter = ReadMediaFilter(input);
  MILLRACE_ASSIGN_OR_RETURN(request.stream, FindVideoStream(services, input));
  return request;
}

// In the order that was asked for; what is not there is told in its place.
net::awaitable<void> SendFragmentList(const VideoStreamServices& services, const FragmentListRequest& request,
                                      ResponseWriter& writer) {
  MediaSender sender(services, request.stream, request.filter, writer);
  for (const std::string& text : request.numbers) {
    const auto number = FragmentNumber::Parse(text);
    Result<void> sent = Error{ErrorCode::kNotFound, "no fragment has this number"};
    if (number) {
      const MediaSender::Item item{*number, std::nullopt, std::nullopt};
      MediaSender::Sent one = co_await sender.Send(std::span(&item, 1));
      sent = std::move(one.last);
    }
    if (!sent && sent.error().code == ErrorCode::kNotFound) {
      sent = co_await sender.SendError(text, kMediaFragmentNotFound, "Requested fragment is not found");
    } else if (!sent && sent.error().code != ErrorCode::kCancelled) {
      Log(LogLevel::kError, "a fragment cannot be read",
          {{"stream", request.stream.name}, {"fragment", text}, {"error", sent.error().ToString()}});
      sent = co_await sender.SendError(text, kMediaInternalError, "Internal error");
    }
    if (!sent) co_return;  // cut off
  }
  (void)co_await writer.Finish();
}

// What is asked for, and a place among the readers.
template <typename T>
struct Admitted {
  T request;
  ByteBudget::Share place;
};

// Nothing: the request was answered.
template <typename T>
net::awaitable<std::optional<Admitted<T>>> Admit(const VideoStreamServices& services, Request& request,
                                                 ResponseWriter& writer,
                                                 AwsResult<T> (*read)(const VideoStreamServices&,
                                                                      const boost::json::object&)) {
  auto reading = [&](const boost::json::object& members) { return read(services, members); };
  auto asked = co_await ReadVideoRequest(services, request, reading);
  auto place = services.readers.Take(1);
  if (asked && place) co_return Admitted<T>{std::move(*asked), std::move(*place)};
  AwsError refused =
      asked ? AwsError("ConnectionLimitExceededException", "Too many readers are served media already.")
            : std::move(asked).error();
  co_await RespondAws(writer, AwsService::kVideoStreams, std::move(refused));
  co_return std::nullopt;
}

net::awaitable<void> GetMedia(const VideoStreamServices& services, Request& request, ResponseWriter& writer) {
  auto admitted = co_await Admit(services, request, writer, &ReadMediaRequest);
  if (!admitted) co_return;
  auto feed = services.store.Live(admitted->request.stream.name);
  if (!feed) {
    co_await RespondAws(writer, AwsService::kVideoStreams, NoVideoStream());
    co_return;
  }
  ResponseHead head = MediaHead();
  auto begun = co_await writer.WriteHead(std::move(head));
  if (!begun) co_return;
  MediaSession session(services, std::move(admitted->request), writer, std::move(*feed));
  co_await session.Run();
}

net::awaitable<void> GetMediaForFragmentList(const VideoStreamServices& services, Request& request,
                                             ResponseWriter& writer) {
  auto admitted = co_await Admit(services, request, writer, &ReadFragmentList);
  if (!admitted) co_return;
  ResponseHead head = MediaHead();
  auto begun = co_await writer.WriteHead(std::move(head));
  if (!begun) co_return;
  co_await SendFragmentList(services, admitted->request, writer);
}

}  // namespace

void AddMediaRoutes(Router& router, VideoStreamServices services) {
  router.Add("POST", "/getMedia",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await GetMedia(services, request, writer);
             });
  router.Add("POST", "/getMediaForFragmentList",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await GetMediaForFragmentList(services, request, writer);
             });
}

}  // namespace millrace::api
