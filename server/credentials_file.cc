#include "server/credentials_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "api/v1/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/private_file.h"
#include "base/text.h"

namespace millrace::server {
namespace {

constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kPatternBytesMax = 2048;

using PolicyMap = std::map<std::string, std::shared_ptr<const api::Policy>>;

// Reads the nodes; the first error is kept.
class CredentialsReader {
 public:
  explicit CredentialsReader(std::string file) : file_(std::move(file)) {}

  void Fail(const YAML::Node& node, const std::string& text) {
    if (error_) return;
    const std::string line = node.Mark().is_null() ? "" : ":" + std::to_string(node.Mark().line + 1);
    error_ = Error{ErrorCode::kInvalidArgument, file_ + line + ": " + text};
  }
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

  // False: it is none. Checks the names of its members.
  bool Mapping(const YAML::Node& node, const std::string& what,
               std::initializer_list<std::string_view> known) {
    if (!node.IsMap()) {
      Fail(node, what + " must be a mapping");
      return false;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        const auto nearest = api::NearestName(key, known);
        Fail(entry.first, "'" + Excerpt(key) + "' is not known in " + what +
                              (nearest ? "; did you mean '" + std::string(*nearest) + "'?" : ""));
      } else if (!seen.insert(key).second) {
        Fail(entry.first, "'" + key + "' is set twice in " + what);
      }
    }
    return !failed();
  }

  std::string Text(const YAML::Node& parent, const char* key, const std::string& what) {
    const YAML::Node node = parent[key];
    if (!node.IsDefined() || !node.IsScalar() || node.Scalar().empty()) {
      Fail(node.IsDefined() ? node : parent, what + " must have '" + key + "'");
      return "";
    }
    return node.Scalar();
  }

  // One text, or a list of texts.
  std::vector<std::string> Texts(const YAML::Node& parent, const char* key, const std::string& what) {
    const YAML::Node node = parent[key];
    std::vector<std::string> texts;
    if (node.IsDefined() && node.IsScalar()) {
      texts.push_back(node.Scalar());
    } else if (node.IsDefined() && node.IsSequence()) {
      for (const auto& one : node) {
        if (!one.IsScalar()) Fail(one, "'" + std::string(key) + "' must be texts");
        texts.push_back(one.IsScalar() ? one.Scalar() : "");
      }
    }
    if (texts.empty()) Fail(node.IsDefined() ? node : parent, what + " must have '" + key + "'");
    for (const std::string& text : texts) {
      if (text.empty() || text.size() > kPatternBytesMax)
        Fail(node, "'" + std::string(key) + "' must not be empty or longer than " +
                       std::to_string(kPatternBytesMax) + " bytes");
    }
    return texts;
  }

 private:
  const std::string file_;
  std::optional<Error> error_;
};

// Those that need not be written. A viewer gets no backup, for that is more than what he looks at, and not
// the server's own data streams, which hold what all cameras have recorded: another policy may allow these.
PolicyMap BuiltInPolicies() {
  api::Policy viewer{
      "viewer",
      {{true,
        {"millrace:GetCamera", "millrace:GetStream", "millrace:GetApplication", "millrace:GetStorage",
         "millrace:GetMetrics", "millrace:List*", "millrace:PlayStream", "millrace:ExportStream",
         "kinesisvideo:Get*", "kinesisvideo:List*", "kinesisvideo:Describe*"},
        {"*"}},
       {true,
        {"kinesis:Get*", "kinesis:List*", "kinesis:Describe*", "kinesis:SubscribeToShard"},
        {"*"},
        {"arn:*:kinesis:*:*:stream/millrace-*"}}}};
  api::Policy administrator{"administrator", {{true, {"*"}, {"*"}}}};
  return {{"administrator", std::make_shared<const api::Policy>(std::move(administrator))},
          {"viewer", std::make_shared<const api::Policy>(std::move(viewer))}};
}

api::PolicyStatement ReadStatement(CredentialsReader& reader, const YAML::Node& node) {
  api::PolicyStatement statement;
  // A condition that we do not check, or an exception that we do not make, would allow too much.
  if (!reader.Mapping(node, "a statement", {"Sid", "Effect", "Action", "Resource"})) return statement;
  const std::string effect = reader.Text(node, "Effect", "a statement");
  if (!reader.failed() && effect != "Allow" && effect != "Deny")
    reader.Fail(node["Effect"], "'Effect' must be Allow or Deny");
  statement.allow = effect == "Allow";
  statement.actions = reader.Texts(node, "Action", "a statement");
  for (const std::string& action : statement.actions) {
    if (!reader.failed() && action != "*" && action.find(':') == std::string::npos)
      reader.Fail(node["Action"], "'" + Excerpt(action) + "' is no action such as kinesis:PutRecord");
  }
  statement.resources = reader.Texts(node, "Resource", "a statement");
  return statement;
}

void ReadPolicies(CredentialsReader& reader, const YAML::Node& node, PolicyMap& policies) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) return reader.Fail(node, "'policies' must be names with policies");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (!IsCredentialName(name) || !seen.insert(name).second || policies.contains(name))
      return reader.Fail(entry.first,
                         "'" + Excerpt(name) + "' cannot be a policy's name, or is there already");
    if (!reader.Mapping(entry.second, "a policy", {"Version", "Id", "Statement"})) return;
    api::Policy policy{name, {}};
    const YAML::Node statements = entry.second["Statement"];
    if (statements.IsDefined() && statements.IsSequence()) {
      for (const auto& one : statements) policy.statements.push_back(ReadStatement(reader, one));
    } else if (statements.IsDefined()) {
      policy.statements.push_back(ReadStatement(reader, statements));
    } else {
      reader.Fail(entry.second, "a policy must have 'Statement'");
    }
    policies[name] = std::make_shared<const api::Policy>(std::move(policy));
  }
}

std::vector<wire::AccessKey> ReadKeys(CredentialsReader& reader, const YAML::Node& node) {
  std::vector<wire::AccessKey> keys;
  if (!node.IsDefined() || node.IsNull()) return keys;
  if (!node.IsSequence()) {
    reader.Fail(node, "'keys' must be a list");
    return keys;
  }
  for (const auto& one : node) {
    if (!reader.Mapping(one, "a key", {"id", "secret"})) break;
    wire::AccessKey key{reader.Text(one, "id", "a key"), reader.Text(one, "secret", "a key")};
    const auto plain = [](char c) { return c > ' ' && c <= '~' && c != '/' && c != ',' && c != '='; };
    if (!reader.failed() && (key.id.size() > 128 || !std::all_of(key.id.begin(), key.id.end(), plain)))
      reader.Fail(one["id"], "a key's id must be up to 128 letters and digits");
    if (!reader.failed() && key.secret.size() < 16)
      reader.Fail(one["secret"], "a key's secret must have at least 16 characters");
    keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<api::User> ReadUsers(CredentialsReader& reader, const YAML::Node& node,
                                 const PolicyMap& policies) {
  std::vector<api::User> users;
  if (!node.IsDefined() || node.IsNull()) return users;
  if (!node.IsSequence()) {
    reader.Fail(node, "'users' must be a list");
    return users;
  }
  for (const auto& one : node) {
    if (!reader.Mapping(one, "a user", {"name", "keys", "policies"})) break;
    api::User user{reader.Text(one, "name", "a user"), ReadKeys(reader, one["keys"]), {}};
    if (!reader.failed() && !IsCredentialName(user.name))
      reader.Fail(one["name"], "a user's name must be 1 to 64 of a-z A-Z 0-9 + = , . @ _ -");
    const YAML::Node named = one["policies"];
    if (named.IsDefined() && !named.IsNull() && !(named.IsSequence() && named.size() == 0)) {
      for (const std::string& name : reader.Texts(one, "policies", "a user")) {
        const auto policy = policies.find(name);
        if (policy == policies.end()) {
          reader.Fail(named, "there is no policy '" + Excerpt(name) + "'");
        } else {
          user.policies.push_back(policy->second);
        }
      }
    }
    if (reader.failed()) break;
    users.push_back(std::move(user));
  }
  return users;
}

// What changes when the file does; "" when it is not there.
std::string StateOf(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return "";
  return std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " +
         std::to_string(info.st_mode) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec) + " " + std::to_string(info.st_ctim.tv_sec) + "." +
         std::to_string(info.st_ctim.tv_nsec);
}

// What a server can work with.
Result<std::vector<api::User>> LoadUsable(const std::filesystem::path& file) {
  MILLRACE_ASSIGN_OR_RETURN(auto users, LoadCredentials(file));
  if (AnyHasKey(users)) return users;
  return Error{ErrorCode::kInvalidArgument,
               file.string() + ": no user has a key, so nobody could call; `millrace user add` makes one"};
}

}  // namespace

bool IsCredentialName(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-") ==
             std::string::npos;
}

bool AnyHasKey(const std::vector<api::User>& users) {
  return std::any_of(users.begin(), users.end(), [](const api::User& user) { return !user.keys.empty(); });
}

Result<std::string> ReadCredentials(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
    return Error{code, "cannot read the credentials " + file.string() + ": " + std::strerror(errno)};
  }
  struct stat info {};
  std::string text;
  std::optional<Error> failed;
  if (::fstat(fd, &info) != 0) {
    failed = OsError("reading " + file.string());
  } else if ((info.st_mode & 07) != 0 || (info.st_mode & 020) != 0) {
    failed = Error{ErrorCode::kFailedPrecondition,
                   file.string() +
                       " holds secrets, and others can read or change it: run chmod 600 on it, "
                       "and give its users new keys if somebody may have"};
  } else if (!S_ISREG(info.st_mode) || info.st_size > static_cast<off_t>(kFileBytesMax)) {
    failed = Error{ErrorCode::kInvalidArgument, file.string() + " is no file of up to 4 MiB"};
  } else {
    text.resize(kFileBytesMax + 1);
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0 && size < text.size();) {
      got = ::read(fd, text.data() + size, text.size() - size);
      if (got < 0 && errno == EINTR)
        got = 1;
      else if (got < 0)
        failed = OsError("reading " + file.string());
      else
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
  }
  ::close(fd);
  if (failed) return *failed;
  return text;
}

Result<std::vector<api::User>> ParseCredentials(const std::string& text, const std::string& name) {
  try {
    const YAML::Node root = YAML::Load(text);
    CredentialsReader reader(name);
    std::vector<api::User> users;
    if (root.IsDefined() && !root.IsNull() && reader.Mapping(root, "the file", {"users", "policies"})) {
      PolicyMap policies = BuiltInPolicies();
      ReadPolicies(reader, root["policies"], policies);
      if (!reader.failed()) users = ReadUsers(reader, root["users"], policies);
    }
    if (reader.failed()) return reader.error();
    if (auto made = api::Credentials::Make(users); !made)
      return Error{ErrorCode::kInvalidArgument, name + ": " + made.error().message};
    return users;
  } catch (const YAML::Exception& e) {
    const std::string line = e.mark.is_null() ? "" : ":" + std::to_string(e.mark.line + 1);
    return Error{ErrorCode::kInvalidArgument, name + line + ": not YAML: " + e.msg};
  }
}

Result<std::vector<api::User>> LoadCredentials(const std::filesystem::path& file) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, ReadCredentials(file));
  return ParseCredentials(text, file.string());
}

Result<std::unique_ptr<CredentialsFile>> CredentialsFile::Open(std::filesystem::path file,
                                                               api::CredentialStore& store,
                                                               Duration look_every) {
  std::string state = StateOf(file);
  MILLRACE_ASSIGN_OR_RETURN(auto users, LoadUsable(file));
  MILLRACE_RETURN_IF_ERROR(store.Replace(std::move(users)));
  return std::unique_ptr<CredentialsFile>(
      new CredentialsFile(std::move(file), store, look_every, std::move(state)));
}

CredentialsFile::CredentialsFile(std::filesystem::path file, api::CredentialStore& store, Duration look_every,
                                 std::string state)
    : file_(std::move(file)),
      store_(store),
      look_every_(look_every),
      state_(state),
      seen_(std::move(state)),
      thread_([this] { Run(); }) {}

CredentialsFile::~CredentialsFile() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void CredentialsFile::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, look_every_, [this] { return stopping_; })) {
    lock.unlock();
    Look();
    lock.lock();
  }
}

// Half of a file is a file too, with fewer users or other policies: it is read when it has come to rest.
void CredentialsFile::Look() {
  std::string state = StateOf(file_);
  if (state != state_ && state == seen_) {
    auto users = LoadUsable(file_);
    if (StateOf(file_) == state) {
      state_ = state;
      Take(std::move(users));
    }
  }
  seen_ = std::move(state);
}

void CredentialsFile::Take(Result<std::vector<api::User>> users) {
  const Result<void> replaced = users ? store_.Replace(std::move(*users)) : Result<void>(users.error());
  GetCounter("millrace_credentials_reloads_total", "Times that the credentials' file had changed",
             {{"result", replaced ? "taken" : "refused"}})
      .Increment();
  if (replaced) {
    Log(LogLevel::kInfo, "the credentials were read again", {{"file", file_.string()}});
  } else {
    Log(LogLevel::kError, "the new credentials are refused; those before stay in force",
        {{"error", replaced.error().message}});
  }
}

}  // namespace millrace::server
