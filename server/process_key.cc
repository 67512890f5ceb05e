#include "server/process_key.h"

#include <memory>
#include <utility>

namespace millrace::server {

Result<wire::AccessKey> AddProcessKey(api::CredentialStore& credentials, const std::string& application,
                                      std::vector<api::PolicyStatement> statements) {
  const wire::AccessKey key = api::MakeAccessKey();
  statements.push_back(
      {true, {"millrace:RunApplication"}, {"arn:aws:millrace:*:*:application/" + application}});
  auto policy = std::make_shared<const api::Policy>(api::Policy{application, std::move(statements)});
  MILLRACE_RETURN_IF_ERROR(credentials.AddBuiltIn({"millrace:" + application, {key}, {std::move(policy)}}));
  return key;
}

}  // namespace millrace::server
