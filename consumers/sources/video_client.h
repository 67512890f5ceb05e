// The operations of Kinesis Video that footage is read by, as their clients call them: the endpoint of an
// operation is asked for by GetDataEndpoint, and kept.
//
// Errors:  what the server said, under the code that tells what can be done about it; kUnavailable and
//          kDeadlineExceeded: no server answers now.
// Threads: one thread at a time uses a client.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <string>

#include "wire/http_client.h"

namespace millrace {

// Where a video stream is read, and by whom.
struct VideoStreamAddress {
  wire::Endpoint endpoint;  // of the control plane
  std::string stream;       // its name
  wire::HttpClient::Options http{};
};

class VideoClient {
 public:
  explicit VideoClient(VideoStreamAddress address) : address_(std::move(address)) {}

  // "LIST_FRAGMENTS", "/listFragments": JSON out, JSON in. The stream's name is put in.
  Result<boost::json::object> Call(const std::string& api, const std::string& target,
                                   boost::json::object request);
  // "GET_MEDIA", "/getMedia": JSON out, media in, piece by piece; the next one is read when `sink` has
  // returned.
  Result<void> Media(const std::string& api, const std::string& target, boost::json::object request,
                     const wire::HttpClient::BodySink& sink);

  // Asks for the endpoints anew: a connection to one has failed.
  void ForgetEndpoints() { data_plane_.clear(); }

 private:
  Result<wire::HttpClient*> DataPlane(const std::string& api);
  Result<wire::HttpResponse> Post(wire::HttpClient& http, const std::string& target,
                                  boost::json::object request, const wire::HttpClient::BodySink* sink);

  const VideoStreamAddress address_;
  std::map<std::string, std::unique_ptr<wire::HttpClient>> data_plane_;  // by APIName
};

}  // namespace millrace
