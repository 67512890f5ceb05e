// Playback sessions on a real server, as people who are not asked for credentials meet it; and what players
// ask for in them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "api/access/access_control.h"
#include "api/video_streams/playback_services.h"
#include "consumers/playback/playback_service.h"
#include "tests/api/aws_server.h"

namespace millrace::api::testing {

class PlaybackServerTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    auto stream = store_->CreateStream("door", std::chrono::hours(24));
    ASSERT_TRUE(stream) << stream.error().ToString();
    stream_ = *stream;
  }
  void TearDown() override {
    StopPlaying();
    AwsServerTest::TearDown();
  }
  // Before the store goes, which outlives what reads from it.
  void StopPlaying() {
    server_.reset();
    playback_.reset();
    segments_.reset();
  }
  std::unique_ptr<Dispatcher> MakeDispatcher() override {
    segments_ = std::make_unique<SegmentSource>(*store_, std::size_t{64} << 20);
    PlaybackOptions options;
    options.clock = &clock_;
    playback_ = std::make_unique<PlaybackService>(*store_, *segments_, options);
    AddPlaybackRoutes(*router_, {VideoServices(), *playback_});
    AccessControl::Options access;
    access.clock = &clock_;
    access.credentials = credentials_;
    access_ = std::make_unique<AccessControl>(access);
    return std::make_unique<Dispatcher>(*router_, *access_);
  }

  // `range`: in seconds since kNow.
  static std::string Range(const char* member, const char* type, double from, double to) {
    char text[240];
    const double base = static_cast<double>(kNow.millis()) / 1000;
    std::snprintf(
        text, sizeof(text),
        R"("%s":{"FragmentSelectorType":"%s","TimestampRange":{"StartTimestamp":%.3f,"EndTimestamp":%.3f}})",
        member, type, base + from, base + to);
    return text;
  }
  AwsAnswer Begin(const std::string& members, const char* protocol = "HLS", const char* stream = "door") {
    return Rest(
        std::string("/get") + protocol + "StreamingSessionURL",
        std::string(R"({"StreamName":")") + stream + "\"" + (members.empty() ? "" : "," + members) + "}");
  }
  // The path and query of a new session's address.
  std::string Address(const std::string& members, const char* protocol = "HLS") {
    const AwsAnswer answer = Begin(members, protocol);
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    const std::string url = answer.Text((std::string(protocol) + "StreamingSessionURL").c_str());
    const std::string host = "http://localhost:4567";
    EXPECT_TRUE(url.starts_with(host)) << url;
    return url.substr(std::min(host.size(), url.size()));
  }
  RawAnswer Get(const std::string& target, const std::string& headers = "") {
    RawClient client(server_->port());
    client.Send("GET " + target + " HTTP/1.1\r\nHost: player.example\r\n" + headers + "\r\n");
    return client.Receive();
  }
  // What a playlist names, beside it.
  RawAnswer GetBeside(const std::string& address, const std::string& relative) {
    return Get(address.substr(0, address.rfind('/', address.find('?')) + 1) + relative);
  }
  // The addresses in a playlist.
  static std::vector<std::string> Uris(const std::string& playlist) {
    std::vector<std::string> uris;
    std::istringstream lines(playlist);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line[0] != '#') uris.push_back(line);
    }
    return uris;
  }
  // The value of a parameter in each of them.
  static std::vector<std::string> Values(const std::vector<std::string>& uris, const std::string& name) {
    std::vector<std::string> values;
    for (const std::string& uri : uris) {
      const auto at = uri.find(name + "=");
      if (at == std::string::npos) continue;
      const auto begin = at + name.size() + 1;
      values.push_back(uri.substr(begin, uri.find('&', begin) - begin));
    }
    return values;
  }
  // The first track's media playlist of a session that these members begin.
  std::string Playlist(const std::string& members) {
    const std::string address = Address(members);
    const auto uris = Uris(Get(address).body);
    EXPECT_EQ(uris.size(), 1U);
    return uris.empty() ? "" : GetBeside(address, uris[0]).body;
  }
  std::vector<std::string> Listed(const std::string& members) {
    return Values(Uris(Playlist(members)), "FragmentNumber");
  }

  const CredentialStore* credentials_ = nullptr;
  VideoStream stream_;
  std::unique_ptr<SegmentSource> segments_;
  std::unique_ptr<PlaybackService> playback_;
  std::unique_ptr<AccessControl> access_;
};

}  // namespace millrace::api::testing
