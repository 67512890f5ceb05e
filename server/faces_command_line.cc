// The options and the help of `millrace faces …`.
#include <CLI/CLI.hpp>
#include <memory>

#include "server/faces_commands.h"

namespace millrace::server {
namespace {

// What the options of all subcommands are read into; lives as long as the command line.
struct FacesCommandOptions {
  FacesListOptions list;
  std::string listed_collection;
  FacesIndexOptions index;
  FacesRemoveOptions remove;
  std::string collection;
};

struct FacesCommands {
  CLI::App* faces;
  ClientOptions& client;
  std::function<int()>& run;
  std::shared_ptr<FacesCommandOptions> options;

  CLI::App* Add(const std::string& verb, const std::string& help, const std::string& examples,
                std::function<int(const ClientOptions&, const FacesCommandOptions&)> run_it) const {
    auto* command = faces->add_subcommand(verb, help);
    command->add_flag("--json", client.json, "Print JSON, for machines");
    command->footer("\nExamples:\n" + examples);
    command->callback([chosen = &run, client = &client, options = options, run_it = std::move(run_it)] {
      *chosen = [=] { return run_it(*client, *options); };
    });
    return command;
  }
};

void AddList(const FacesCommands& commands) {
  FacesCommandOptions& options = *commands.options;
  auto* list = commands.Add(
      "list", "The faces that were found in a stream, by time; or those of a collection",
      "  millrace faces list door\n"
      "  millrace faces list door --start 2026-11-21T14:00:00Z --end 2026-11-21T15:00:00Z --json\n"
      "  millrace faces list --collection staff\n",
      [](const ClientOptions& client, const FacesCommandOptions& chosen) {
        return chosen.listed_collection.empty() ? RunFacesList(client, chosen.list)
                                                : RunCollectionFaces(client, chosen.listed_collection);
      });
  auto* stream = list->add_option("STREAM", options.list.stream, "The stream's name");
  auto* collection = list->add_option("--collection", options.listed_collection, "A collection's name");
  list->add_option("--start", options.list.start, "RFC 3339 or epoch seconds (default: the oldest)")
      ->excludes(collection);
  list->add_option("--end", options.list.end, "RFC 3339 or epoch seconds (default: now)")
      ->excludes(collection);
  stream->excludes(collection);
  list->parse_complete_callback([stream, collection] {
    if (stream->count() + collection->count() == 0) throw CLI::RequiredError("STREAM or --collection");
  });
}

}  // namespace

void AddFacesCommands(CLI::App& app, ClientOptions& client, std::function<int()>& run) {
  auto* faces = app.add_subcommand("faces", "Faces that were found, and collections of known ones");
  faces->require_subcommand(1);
  const FacesCommands commands{faces, client, run, std::make_shared<FacesCommandOptions>()};
  FacesCommandOptions& options = *commands.options;
  AddList(commands);

  auto* index = commands.Add("index", "Keep the face of each photograph in a collection, as a person's",
                             "  millrace faces index staff ada.jpg --id ada\n"
                             "  millrace faces index staff leo-*.jpg --id leo\n",
                             [](const ClientOptions& c, const FacesCommandOptions& chosen) {
                               return RunFacesIndex(c, chosen.index);
                             });
  index->add_option("COLLECTION", options.index.collection, "Made where it is not there")->required();
  index
      ->add_option("PHOTOGRAPH", options.index.photographs,
                   "JPEG or PNG with one face, seen from the front; several are better than one")
      ->required()
      ->type_name("FILE");
  index->add_option("--id", options.index.id, "Whose face it is: a-z, A-Z, 0-9, _ . : -")->required();

  commands.Add("collections", "All collections", "  millrace faces collections\n",
               [](const ClientOptions& c, const FacesCommandOptions&) { return RunFaceCollections(c); });

  auto* remove =
      commands.Add("remove", "Remove a person's faces, or one face, from a collection",
                   "  millrace faces remove staff --id ada\n"
                   "  millrace faces remove staff --face-id 0a1b2c3d-4e5f-8a6b-9c7d-8e9f0a1b2c3d\n",
                   [](const ClientOptions& c, const FacesCommandOptions& chosen) {
                     return RunFacesRemove(c, chosen.remove);
                   });
  remove->add_option("COLLECTION", options.remove.collection, "The collection's name")->required();
  auto* who = remove->add_option_group("which");
  who->add_option("--id", options.remove.id, "All faces of this person");
  who->add_option("--face-id", options.remove.face_id, "One face: `faces list --collection` shows the ids");
  who->require_option(1);

  auto* deleted =
      commands.Add("delete", "Delete a collection with all its faces", "  millrace faces delete staff\n",
                   [](const ClientOptions& c, const FacesCommandOptions& chosen) {
                     return RunFacesDelete(c, chosen.collection);
                   });
  deleted->add_option("COLLECTION", options.collection, "The collection's name")->required();
}

}  // namespace millrace::server
