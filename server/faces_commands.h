// `millrace faces …`: names, options, help.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/commands.h"

namespace CLI {
class App;
}

namespace millrace::server {

struct FacesIndexOptions {
  std::string collection;
  std::vector<std::string> photographs;  // files
  std::string id;                        // of the person
};
int RunFacesIndex(const ClientOptions& client, const FacesIndexOptions& options);

int RunFaceCollections(const ClientOptions& client);
int RunCollectionFaces(const ClientOptions& client, const std::string& collection);

struct FacesRemoveOptions {
  std::string collection;
  std::optional<std::string> id;       // of the person; or
  std::optional<std::string> face_id;  // of one photograph's face
};
int RunFacesRemove(const ClientOptions& client, const FacesRemoveOptions& options);
int RunFacesDelete(const ClientOptions& client, const std::string& collection);

// Adds `faces` and its subcommands. A command that was chosen is put into `run`; `client` and `run` outlive
// the parsing and the running.
void AddFacesCommands(CLI::App& app, ClientOptions& client, std::function<int()>& run);

}  // namespace millrace::server
