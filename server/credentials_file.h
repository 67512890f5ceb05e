// The file with users, access keys and policies: docs/configuration.md, "Users and keys".
//
// Strict, as the configuration: what is not known is an error that names the line, for a condition that is
// not understood must not be passed over. It is looked at each second; one that changed takes the place of
// what was there, one that cannot be read or has a mistake is logged, and what was there stays.
//
// Threads: one of its own; AddUser on any.
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

// Errors: kNotFound, kIo; kFailedPrecondition (others than owner and group can read it, or others than the
// owner write it); those of ParseCredentials.
Result<std::vector<api::User>> LoadCredentials(const std::filesystem::path& file);

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

 private:
  CredentialsFile(std::filesystem::path file, api::CredentialStore& store, Duration look_every,
                  std::string state);
  void Run();
  void Reload();

  const std::filesystem::path file_;
  api::CredentialStore& store_;
  const Duration look_every_;
  std::string state_;  // of the file when it was read last; of the thread
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // GUARDED_BY(mutex_)
  std::thread thread_;
};

// Adds a user with a new key to the file, which is made where it is not there; comments stay. Errors: those
// of LoadCredentials; kAlreadyExists; kInvalidArgument (a name or policy that cannot be; `users` is not
// written as a list of lines).
Result<wire::AccessKey> AddUser(const std::filesystem::path& file, const std::string& name,
                                const std::vector<std::string>& policies);

}  // namespace millrace::server
