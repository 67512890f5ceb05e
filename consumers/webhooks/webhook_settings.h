// What a webhook is: where events are sent, which ones, and for how long it is tried.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/backoff.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/endpoint.h"

namespace millrace {

// "https://hooks.example/door?x=1": the server, and what is asked for there.
struct WebhookUrl {
  wire::Endpoint endpoint;
  std::string target = "/";

  // Errors: kInvalidArgument: no http or https URL, one with a user or a fragment, or with characters that a
  // URL has escaped.
  static Result<WebhookUrl> Parse(std::string_view url);
  // Without the query, which may be what shows who sends: for people and logs.
  std::string ToString() const;
};

struct WebhookSettings {
  std::string name;  // [a-zA-Z0-9_-]{1,64}
  WebhookUrl url;
  // Signs what is sent: the bytes of the key. Empty: it is not signed.
  std::string key;
  // The analyzers whose events are sent: the data streams millrace-NAME are read.
  std::set<std::string> analyzers;
  std::set<std::string> types;    // of events; empty: all
  std::set<std::string> streams;  // video streams; empty: all
  // PEM: whose certificates are trusted over https, in place of the system's; "": the system's.
  std::filesystem::path ca_file;
  Duration give_up_after = std::chrono::hours(24);  // an event that is older is left out
  BackoffOptions backoff{.base = std::chrono::seconds(1), .max = std::chrono::minutes(5)};
};

// The key that a secret's text stands for: what follows "whsec_" is base64 (Standard Webhooks 1.0, "Signature
// scheme"); any other text is the key itself. Errors: kInvalidArgument: under 16 bytes, over 512, no base64.
Result<std::string> WebhookKeyOf(std::string_view secret);

}  // namespace millrace
