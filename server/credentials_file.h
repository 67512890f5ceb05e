// The file with users, access keys and policies: docs/configuration.md, "Users and keys".
//
// Strict, as the configuration: what is not known is an error that names the line, for a condition that is
// not understood must not be passed over. It is looked at each second; one that changed, and has not changed
// since the last look (else somebody is still writing it), takes the place of what was there. One that cannot
// be read, has a mistake, or leaves nobody a key is logged, and what was there stays.
//
// Threads: one of its own; the functions any.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/access/credentials.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::server {

// Errors: kInvalidArgument: "FILE:LINE: what is wrong".
Result<std::vector<api::User>> ParseCredentials(const std::string& text, const std::string& name);

// The file's text. Errors: kNotFound, kIo; kFailedPrecondition (others than owner and group can read it, or
// others than the owner write it); kInvalidArgument (no file, or too large).
Result<std::string> ReadCredentials(const std::filesystem::path& file);
// Errors: those of ReadCredentials and ParseCredentials.
Result<std::vector<api::User>> LoadCredentials(const std::filesystem::path& file);

// Whether a user or a policy may have this name.
bool IsCredentialName(const std::string& name);
// Whether anybody could call.
bool AnyHasKey(const std::vector<api::User>& users);

class CredentialsFile {
 public:
  // Reads it into `store`, which outlives this. Errors: those of LoadCredentials; kInvalidArgument (no user
  // has a key: nobody could call).
  static Result<std::unique_ptr<CredentialsFile>> Open(std::filesystem::path file,
                                                       api::CredentialStore& store,
                                                       Duration look_every = std::chrono::seconds(1));
  ~CredentialsFile();
  CredentialsFile(const CredentialsFile&) = delete;
  CredentialsFile& operator=(const CredentialsFile&) = delete;

  // What the thread does each time; for tests, in which it never does.
  void Look();

 private:
  CredentialsFile(std::filesystem::path file, api::CredentialStore& store, Duration look_every,
                  std::string state);
  void Run();
  void Take(Result<std::vector<api::User>> users);

  const std::filesystem::path file_;
  api::CredentialStore& store_;
  const Duration look_every_;
  // Of whoever looks.
  std::string state_;  // the file's when it was read last
  std::string seen_;   // the file's at the last look
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // GUARDED_BY(mutex_)
  std::thread thread_;
};

}  // namespace millrace::server
