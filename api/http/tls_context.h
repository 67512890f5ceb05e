// The server's certificate and key, and what is agreed on in a TLS handshake: TLS 1.2 or newer, forward
// secrecy and authenticated encryption only, ALPN "h2" and "http/1.1".
//
// The files are looked at again every second or so; when they have changed, and are whole, connections from
// then on use the new ones. Files that cannot be used leave everything as it is, and are logged.
//
// Threads: any. One thread of its own reads the files, so that no I/O thread waits for the disk.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

struct TlsFiles {
  std::filesystem::path certificate;  // PEM: the server's own first, then those of its issuers
  std::filesystem::path key;          // PEM, not encrypted
};

// One state of the files; connections share it. Defined in api/http/tls_settings.h.
struct TlsSettings;

class TlsContext {
 public:
  // `renew`: called before each look at the files; may make them anew.
  // Errors: kNotFound, kIo (the files), kInvalidArgument (not what they should be, or not of each other).
  static Result<std::unique_ptr<TlsContext>> Open(TlsFiles files, std::function<void()> renew = {},
                                                  Duration look_every = std::chrono::seconds(1));
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // What a new connection uses.
  std::shared_ptr<TlsSettings> current() const;

 private:
  TlsContext(TlsFiles files, std::function<void()> renew, Duration look_every);
  void Watch();
  void Use(std::shared_ptr<TlsSettings> settings);
  // Changes with every change of the files; "": they are not there.
  std::string Fingerprint() const;

  const TlsFiles files_;
  const std::function<void()> renew_;
  const Duration look_every_;

  mutable std::mutex mutex_;
  std::shared_ptr<TlsSettings> current_;  // GUARDED_BY(mutex_)
  bool stopping_ = false;                 // GUARDED_BY(mutex_)
  std::condition_variable stop_;
  std::string loaded_;  // the fingerprint that was last tried; the watching thread only, once it runs
  std::thread thread_;
};

}  // namespace millrace::api
