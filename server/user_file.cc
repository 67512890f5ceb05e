#include "server/user_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "base/private_file.h"
#include "base/text.h"
#include "server/credentials_file.h"

namespace millrace::server {
namespace {

using Users = std::vector<api::User>;

Error ByHand(const std::filesystem::path& file, const std::string& why) {
  return {ErrorCode::kInvalidArgument, file.string() + ": " + why + "; change it with an editor"};
}

// Whether the same users stand there, with the same keys and policies.
bool Same(const Users& a, const Users& b) {
  const auto same_key = [](const wire::AccessKey& x, const wire::AccessKey& y) {
    return x.id == y.id && x.secret == y.secret;
  };
  const auto same_policy = [](const auto& x, const auto& y) { return x->name == y->name; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const api::User& x, const api::User& y) {
    return x.name == y.name &&
           std::equal(x.keys.begin(), x.keys.end(), y.keys.begin(), y.keys.end(), same_key) &&
           std::equal(x.policies.begin(), x.policies.end(), y.policies.begin(), y.policies.end(),
                      same_policy);
  });
}

// Where a node begins. Lines, since a byte order mark at the front is not counted in a mark's position.
std::size_t PlaceOf(const std::string& text, const YAML::Mark& mark) {
  std::size_t line = 0;
  for (int i = 0; i < mark.line; ++i) line = text.find('\n', line) + 1;
  return std::min(line + static_cast<std::size_t>(mark.column), text.size());
}

std::size_t LineStart(const std::string& text, std::size_t at) {
  const std::size_t end = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  return end == std::string::npos ? 0 : end + 1;
}

// Behind the bracket that closes the one at `at`; npos: none does.
std::size_t BehindFlow(const std::string& text, std::size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      for (++at; at < text.size() && text[at] != c; ++at) at += c == '"' && text[at] == '\\' ? 1 : 0;
    } else if (c == '#' && (text[at - 1] == ' ' || text[at - 1] == '\n')) {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string::npos;
}

std::size_t BehindLine(const std::string& text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return end == std::string::npos ? text.size() : end + 1;
}

// Behind the lines of the block entry whose dash is at `dash`: what is further to the right belongs to it,
// but for comments and empty lines at its end, which belong to what follows.
std::size_t BehindBlock(const std::string& text, std::size_t dash) {
  const std::size_t column = dash - LineStart(text, dash);
  std::size_t end = BehindLine(text, dash);
  for (std::size_t line = end; line < text.size(); line = BehindLine(text, line)) {
    const std::size_t first = text.find_first_not_of(" \r", line);
    if (first == std::string::npos || text[first] == '\n' || text[first] == '#') continue;
    if (first - line <= column) break;
    end = BehindLine(text, first);
  }
  return end;
}

// Takes the sequence's entry out that begins at `at`. False: it is written in a way that is not known.
bool RemoveEntry(std::string& text, std::size_t at) {
  const std::size_t line = LineStart(text, at);
  const std::size_t dash = text.find_first_not_of(' ', line);
  if (dash < at && text[dash] == '-' && text.find_first_not_of(' ', dash + 1) == at) {
    const std::size_t end = BehindBlock(text, dash);
    text.erase(line, end - line);
    return true;
  }
  if (text[at] != '{') return false;
  std::size_t end = BehindFlow(text, at);
  if (end == std::string::npos) return false;
  const std::size_t next = text.find_first_not_of(" \r\n", end);
  if (next != std::string::npos && text[next] == ',') {
    end = std::min(text.find_first_not_of(' ', next + 1), text.size());
  } else if (const std::size_t before = text.find_last_not_of(" \r\n", at - 1); text[before] == ',') {
    at = before;
  }
  text.erase(at, end - at);
  return true;
}

// Puts a key into the user's mapping, before those that are there. False: it is written in a way that is not
// known.
bool InsertKey(std::string& text, const YAML::Node& user, const wire::AccessKey& key) {
  const std::string flow = "{id: " + key.id + ", secret: \"" + key.secret + "\"}";
  const auto block = [&](const std::string& indent) {
    return "- id: " + key.id + "\n" + indent + "  secret: \"" + key.secret + "\"\n";
  };
  const YAML::Node keys = user["keys"];
  if (keys.IsDefined() && keys.IsSequence()) {
    const std::size_t at = PlaceOf(text, keys.Mark());
    if (text[at] == '[') {
      text.insert(at + 1, flow + (keys.size() > 0 ? ", " : ""));
      return true;
    }
    const std::string indent(at - LineStart(text, at), ' ');
    if (text[at] != '-') return false;
    text.insert(at, block(indent) + indent);
    return true;
  }
  if (keys.IsDefined()) {  // nothing behind "keys:"
    for (const auto& member : user) {
      if (member.first.Scalar() != "keys") continue;
      const std::size_t colon = text.find(':', PlaceOf(text, member.first.Mark()));
      text.insert(colon + 1, " [" + flow + "]");
    }
    return true;
  }
  const std::size_t at = PlaceOf(text, user.Mark());
  if (text[at] == '{') {
    text.insert(at + 1, "keys: [" + flow + "], ");
    return true;
  }
  const std::string indent(at - LineStart(text, at), ' ');
  std::size_t behind = text.find('\n', PlaceOf(text, user["name"].Mark()));
  if (behind == std::string::npos) {
    behind = text.size();
    text += '\n';
  }
  text.insert(behind + 1, indent + "keys:\n" + indent + "  " + block(indent + "  "));
  return true;
}

// Puts lines for a user above those of the others, so that comments behind "users:" stay there. False:
// `users` is not written as a list with an entry a line.
bool InsertUser(std::string& text, const std::string& name, const wire::AccessKey& key,
                const std::vector<std::string>& policies) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  std::size_t at = text.starts_with("users:") ? 0 : text.find("\nusers:");
  if (at == std::string::npos) {
    text += "users:\n";
    at = text.size();
  } else {
    const std::size_t colon = text.find(':', at);
    at = text.find('\n', colon) + 1;
    const std::string_view rest = std::string_view(text).substr(colon + 1, at - colon - 2);
    const auto first = rest.find_first_not_of(" \r");
    if (first != std::string_view::npos && rest[first] != '#') return false;
  }
  std::string indent = "  ";
  for (std::size_t line = at; line < text.size(); line = text.find('\n', line) + 1) {
    const auto first = text.find_first_not_of(' ', line);
    if (text[first] == '#' || text[first] == '\n') continue;
    if (text[first] == '-') indent = text.substr(line, first - line);
    break;
  }
  std::string names;
  for (const std::string& policy : policies) names += (names.empty() ? "" : ", ") + policy;
  text.insert(at, indent + "- name: \"" + name + "\"\n" + indent + "  keys:\n" + indent +
                      "    - id: " + key.id + "\n" + indent + "      secret: \"" + key.secret + "\"\n" +
                      indent + "  policies: [" + names + "]\n");
  return true;
}

// A file's text and the users in it, held against other changes until this goes.
class Editing {
 public:
  static Result<std::unique_ptr<Editing>> Begin(const std::filesystem::path& file, bool may_be_new) {
    const std::filesystem::path directory = file.has_parent_path() ? file.parent_path() : ".";
    // The file's own lock would go with it when another one takes its place.
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return OsError("opening " + directory.string());
    std::unique_ptr<Editing> editing(new Editing(file, fd));
    if (::flock(fd, LOCK_EX) != 0) return OsError("locking " + directory.string());
    auto read = ReadCredentials(file);
    if (read) {
      editing->text = std::move(*read);
    } else if (!may_be_new || read.error().code != ErrorCode::kNotFound) {
      return std::move(read).error();
    }
    MILLRACE_ASSIGN_OR_RETURN(editing->users, ParseCredentials(editing->text, file.string()));
    return editing;
  }

  Result<api::User*> Find(const std::string& name) {
    const auto found =
        std::find_if(users.begin(), users.end(), [&](const auto& user) { return user.name == name; });
    if (found == users.end())
      return Error{ErrorCode::kNotFound, "there is no user '" + Excerpt(name) + "' in " + file_.string()};
    return &*found;
  }
  // The user's mapping as it is written; alive while `root` is.
  YAML::Node Written(const YAML::Node& root, const std::string& name) const {
    for (const auto& user : root["users"]) {
      if (user["name"].Scalar() == name) return user;
    }
    return {};  // never: Find has found it
  }

  // Writes the text where it says that `users` are what they are by now.
  Result<void> Write() {
    MILLRACE_ASSIGN_OR_RETURN(const Users now, ParseCredentials(text, file_.string() + " with the change"));
    if (!Same(now, users)) return ByHand(file_, "it is written in a way that this command does not know");
    // The server that reads it may be another user's.
    return WritePrivateFile(file_, AsBytes(text), true);
  }

  std::string text;
  Users users;

 private:
  Editing(std::filesystem::path file, int fd) : file_(std::move(file)), lock_(fd) {}

  const std::filesystem::path file_;
  const FileDescriptor lock_;  // closing it lets go
};

Error LastKey(const std::filesystem::path& file) {
  return {ErrorCode::kFailedPrecondition,
          "this is the last key in " + file.string() +
              ", without which no server takes the file: add another one first"};
}

}  // namespace

Result<wire::AccessKey> AddUser(const std::filesystem::path& file, const std::string& name,
                                const std::vector<std::string>& policies) {
  MILLRACE_ASSIGN_OR_RETURN(const auto editing, Editing::Begin(file, true));
  if (!IsCredentialName(name))
    return Error{ErrorCode::kInvalidArgument, "'" + Excerpt(name) +
                                                  "' cannot be a user's name: it is 1 to 64 of "
                                                  "a-z A-Z 0-9 + = , . @ _ -"};
  if (editing->Find(name))
    return Error{ErrorCode::kAlreadyExists, "user '" + name + "' is there already, in " + file.string()};
  const wire::AccessKey key = api::MakeAccessKey();
  if (!InsertUser(editing->text, name, key, policies))
    return ByHand(file, "'users' must be a list with an entry a line");
  // As the file has it, with its policies.
  MILLRACE_ASSIGN_OR_RETURN(auto now, ParseCredentials(editing->text, file.string() + " with the new user"));
  if (now.empty() || now.front().name != name)
    return ByHand(file, "'users' must be a list with an entry a line");
  editing->users.insert(editing->users.begin(), std::move(now.front()));
  MILLRACE_RETURN_IF_ERROR(editing->Write());
  return key;
}

Result<wire::AccessKey> AddKey(const std::filesystem::path& file, const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const auto editing, Editing::Begin(file, false));
  MILLRACE_ASSIGN_OR_RETURN(api::User* const user, editing->Find(name));
  const wire::AccessKey key = api::MakeAccessKey();
  user->keys.insert(user->keys.begin(), key);
  const YAML::Node root = YAML::Load(editing->text);
  if (!InsertKey(editing->text, editing->Written(root, name), key))
    return ByHand(file, "the keys of '" + name + "' are written in a way that this command does not know");
  MILLRACE_RETURN_IF_ERROR(editing->Write());
  return key;
}

Result<void> RemoveKey(const std::filesystem::path& file, const std::string& name,
                       const std::string& key_id) {
  MILLRACE_ASSIGN_OR_RETURN(const auto editing, Editing::Begin(file, false));
  MILLRACE_ASSIGN_OR_RETURN(api::User* const user, editing->Find(name));
  const auto key =
      std::find_if(user->keys.begin(), user->keys.end(), [&](const auto& one) { return one.id == key_id; });
  if (key == user->keys.end())
    return Error{ErrorCode::kNotFound, "user '" + name + "' has no key '" + Excerpt(key_id) + "'"};
  const auto index = key - user->keys.begin();
  user->keys.erase(key);
  if (!AnyHasKey(editing->users)) return LastKey(file);
  const YAML::Node root = YAML::Load(editing->text);
  const YAML::Node written = editing->Written(root, name)["keys"][static_cast<std::size_t>(index)];
  if (!RemoveEntry(editing->text, PlaceOf(editing->text, written.Mark())))
    return ByHand(file, "the keys of '" + name + "' are written in a way that this command does not know");
  return editing->Write();
}

Result<void> RemoveUser(const std::filesystem::path& file, const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const auto editing, Editing::Begin(file, false));
  MILLRACE_ASSIGN_OR_RETURN(api::User* const user, editing->Find(name));
  const YAML::Node root = YAML::Load(editing->text);
  const YAML::Node written = editing->Written(root, name);
  editing->users.erase(editing->users.begin() + (user - editing->users.data()));
  if (!AnyHasKey(editing->users)) return LastKey(file);
  if (!RemoveEntry(editing->text, PlaceOf(editing->text, written.Mark())))
    return ByHand(file, "'" + name + "' is written in a way that this command does not know");
  return editing->Write();
}

}  // namespace millrace::server
