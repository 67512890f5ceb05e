// Goal: the rooms fit together. Method: frames go through the recorder into the log on disk, and come back as
// HLS and as a clip; then the log is opened anew.
#include <gtest/gtest.h>

#include <sstream>

#include "consumers/clips/clip_exporter.h"
#include "consumers/hls/hls_service.h"
#include "fragments/fragment_store.h"
#include "fragments/stream_recorder.h"
#include "storage/embedded_log.h"
#include "test_media.h"
#include "tests/wait.h"

namespace millrace {
namespace {

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'123);

std::string TextOf(const HlsResource& resource) {
  std::string text;
  for (const SharedBytes& part : resource.parts) text += AsText(part.span());
  return text;
}

// The log on disk, opened.
class Server {
 public:
  explicit Server(const std::string& path) {
    storage::EmbeddedLogOptions options;
    options.path = path;
    auto log = storage::EmbeddedLog::Open(options);
    if (!log) throw std::runtime_error(log.error().ToString());
    log_ = std::move(*log);
    auto store = FragmentStore::Open(*log_, {});
    if (!store) throw std::runtime_error(store.error().ToString());
    store_ = std::move(*store);
  }
  FragmentStore& store() { return *store_; }

 private:
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
};

void Record(FragmentStore& store, const testing::TestMedia& media) {
  auto stream = store.GetStream("door");
  ASSERT_TRUE(stream);
  StreamRecorder recorder(store, *stream, {});
  ASSERT_TRUE(recorder.StartRun(media.tracks, ClockSource::kCamera));
  for (const Frame& frame : media.frames) ASSERT_TRUE(recorder.Push(frame));
  recorder.EndRun();
  ASSERT_TRUE(recorder.Flush(test::kPatience));
  EXPECT_EQ(recorder.counters().fragments_failed, 0U);
}

TEST(RecordedPlayback, WhatWasRecordedIsPlayedAlsoAfterARestart) {
  testing::TemporaryDirectory directory;
  const testing::TestMedia media = testing::MakeMedia(directory, {.seconds = 20}, kStart);
  const HlsRange range{kStart, kStart + std::chrono::seconds(30)};
  std::string playlist, live;
  {
    Server server(directory.File("data"));
    ASSERT_TRUE(server.store().CreateStream("door", std::chrono::hours(87'600)));
    Record(server.store(), media);
    HlsService hls(server.store(), {});
    auto got = hls.Media("door", range);
    ASSERT_TRUE(got) << got.error().ToString();
    playlist = TextOf(*got);
    live = TextOf(*hls.Media("door", {}));
  }
  Server server(directory.File("data"));
  HlsService hls(server.store(), {});
  // A player goes on with the names that it was given before.
  std::vector<SharedBytes> all;
  std::istringstream lines(playlist);
  for (std::string line; std::getline(lines, line);) {
    std::string name = line;
    if (line.starts_with("#EXT-X-MAP:URI=\"")) name = line.substr(16, line.size() - 17);
    if (name.starts_with("#")) continue;
    auto resource = hls.Get("door", name, {});
    ASSERT_TRUE(resource) << resource.error().ToString();
    all.insert(all.end(), resource->parts.begin(), resource->parts.end());
  }
  testing::WriteFile(directory.File("all.mp4"), all);
  EXPECT_EQ(testing::DecodedMd5(directory, directory.File("all.mp4"), "v"), media.video_md5);
  EXPECT_EQ(testing::DecodedMd5(directory, directory.File("all.mp4"), "a"), media.audio_md5);
  EXPECT_EQ(TextOf(*hls.Media("door", range)), playlist);
  EXPECT_EQ(TextOf(*hls.Media("door", {})), live);

  // The camera comes back: numbers go on.
  Record(server.store(), testing::MakeMedia(directory, {.seconds = 4}, kStart + std::chrono::seconds(60)));
  const std::string later = TextOf(*hls.Media("door", {}));
  EXPECT_NE(later.find("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"), std::string::npos) << later;
  EXPECT_NE(later.find("#EXT-X-DISCONTINUITY\n"), std::string::npos) << later;
  EXPECT_EQ(later.find("#EXT-X-GAP"), std::string::npos) << later;

  auto clip = ClipExporter(server.store())
                  .ToFile({"door", *range.start, *range.end, ClipFormat::kMp4}, directory.File("clip.mp4"));
  ASSERT_TRUE(clip) << clip.error().ToString();
  EXPECT_EQ(testing::DecodedMd5(directory, directory.File("clip.mp4"), "v"), media.video_md5);
}

}  // namespace
}  // namespace millrace
