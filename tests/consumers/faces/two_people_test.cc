// Two known people at known places and times: found, told apart, and followed, by the analyzer's default
// detector and recogniser. The figures go to the output.
//
// Method: the collection is made of the photographs, as the server does; the video of two_people.h goes
// through H.264 and the decoder, and each of its frames to the analyzer.
#include "two_people.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "consumers/faces/face_photo.h"
#include "consumers/faces/faces_analyzer.h"
#include "samples/camera-sim/frame_counter.h"
#include "tests/consumers/made_scene.h"

namespace millrace::testing {
namespace {

constexpr int kSeconds = 13;

class FixedGallery final : public GallerySource {
 public:
  explicit FixedGallery(std::shared_ptr<const FaceGallery> gallery) : gallery_(std::move(gallery)) {}
  std::shared_ptr<const FaceGallery> Current() const override { return gallery_; }

 private:
  const std::shared_ptr<const FaceGallery> gallery_;
};

Bytes ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// Of these people, each from the one photograph.
std::shared_ptr<const FaceGallery> MakeGallery(const std::vector<std::size_t>& people) {
  FaceFinder finder;
  std::vector<KnownFace> faces;
  for (const std::size_t person : people) {
    auto photo = finder.Find(ReadAll(TwoPeople::Photograph(person)));
    EXPECT_TRUE(photo) << photo.error().ToString();
    if (!photo) continue;
    faces.push_back({.face_id = "face-" + std::to_string(person),
                     .image_id = "image-" + std::to_string(person),
                     .person = kPeopleNames[person],
                     .confidence = photo->confidence,
                     .in_photograph = photo->in_photograph,
                     .in_image = photo->in_image,
                     .image = photo->image});
  }
  auto detector = MakeFaceDetector({});
  auto recognizer = MakeFaceRecognizer({});
  EXPECT_TRUE(detector && recognizer);
  auto gallery = std::make_shared<const FaceGallery>("staff", "1", faces, **detector, **recognizer);
  EXPECT_EQ(gallery->unusable(), 0u);
  return gallery;
}

struct Frame {
  int index = 0;
  cv::Mat image;
  Timestamp time;
  bool key_frame = false;
};

// The video's frames in the form that an analyzer with a collection asks for; encoded once.
const std::vector<Frame>& Video() {
  static const std::vector<Frame> video = [] {
    std::vector<Frame> frames;
    TwoPeople people;
    const Encoding encoding{.fps = kPeopleFps, .key_frame_interval = kPeopleFps, .kbps = 4000};
    ThroughH264(
        encoding, kSeconds * kPeopleFps, [&](int index) { return people.Draw(index); },
        {PictureFormat::kGray, 720},
        [&](const SeenPicture& seen) {
          const auto counter =
              camera_sim::ReadFrameCounter(seen.image.data, seen.image.step[0], seen.image.cols);
          frames.push_back(
              {static_cast<int>(counter.value_or(0)), seen.image.clone(), seen.time, seen.key_frame});
        });
    return frames;
  }();
  return video;
}

double IntersectionOverUnion(const cv::Rect2d& a, const cv::Rect2d& b) {
  const double both = (a & b).area();
  return both / (a.area() + b.area() - both);
}

struct Sighting {
  cv::Rect2d box;
  std::string track;
  bool followed = false;
  std::map<std::string, double> matches;  // by person
};

std::vector<Sighting> Read(const boost::json::object& members) {
  std::vector<Sighting> sightings;
  for (const boost::json::value& item : members.at("FaceSearchResponse").as_array()) {
    const boost::json::object& detected = item.at("DetectedFace").as_object();
    const boost::json::object& box = detected.at("BoundingBox").as_object();
    Sighting sighting;
    sighting.box = {box.at("Left").to_number<double>(), box.at("Top").to_number<double>(),
                    box.at("Width").to_number<double>(), box.at("Height").to_number<double>()};
    if (const auto* track = detected.if_contains("TrackId")) sighting.track = track->as_string();
    sighting.followed = detected.contains("Followed");
    for (const boost::json::value& match : item.at("MatchedFaces").as_array()) {
      const auto& person = match.at("Face").at("ExternalImageId").as_string();
      sighting.matches[std::string(person)] = match.at("Similarity").to_number<double>();
    }
    sightings.push_back(std::move(sighting));
  }
  return sightings;
}

struct Tally {
  std::size_t frames = 0;
  std::array<std::size_t, kPeople> found{};       // with an overlap of a half or more
  std::array<std::size_t, kPeople> recognised{};  // of those that were found
  std::array<double, kPeople> overlap{};          // sum over those that were found
  std::array<double, kPeople> similarity{};       // sum over those that were recognised
  std::array<std::set<std::string>, kPeople> tracks{};
  std::size_t mistaken = 0;   // faces that were given another's name
  std::size_t elsewhere = 0;  // boxes where there is no face
  std::size_t followed = 0;
  double seconds = 0;

  double Part(std::size_t count) const {
    return 100.0 * static_cast<double>(count) / static_cast<double>(frames);
  }
};

Tally Watch(const FacesSettings& settings, std::shared_ptr<const FaceGallery> gallery, int every = 1) {
  Tally tally;
  std::unique_ptr<GallerySource> source;
  if (gallery) source = std::make_unique<FixedGallery>(gallery);
  auto analyzer = FacesAnalyzer::MakeFrom(settings, std::move(source));
  EXPECT_TRUE(analyzer) << analyzer.error().ToString();
  const auto stream = (*analyzer)->Open("door", {});
  EXPECT_TRUE(stream) << stream.error().ToString();
  int fragment = 0;
  Timestamp begins;
  for (const Frame& frame : Video()) {
    if (frame.index % every != 0) continue;
    if (frame.key_frame) {
      ++fragment;
      begins = frame.time;
    }
    const auto start = std::chrono::steady_clock::now();
    const auto members = (*stream)->Analyze({.image = frame.image,
                                             .stream = "door",
                                             .fragment_number = std::to_string(fragment),
                                             .producer_time = frame.time,
                                             .server_time = frame.time,
                                             .offset = frame.time - begins,
                                             .key_frame = frame.key_frame});
    tally.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_TRUE(members) << members.error().ToString();
    ++tally.frames;
    std::array<bool, kPeople> found{};
    for (const Sighting& sighting : Read(*members)) {
      tally.followed += sighting.followed ? 1 : 0;
      bool of_somebody = false;
      for (std::size_t person = 0; person < kPeople; ++person) {
        const double overlap = IntersectionOverUnion(sighting.box, TwoPeople::FaceAt(person, frame.index));
        if (overlap <= 0.2) continue;
        of_somebody = true;
        for (const auto& [name, similarity] : sighting.matches) {
          if (name != kPeopleNames[person]) ++tally.mistaken;
        }
        tally.tracks[person].insert(sighting.track);
        if (overlap < 0.5 || found[person]) continue;
        found[person] = true;
        ++tally.found[person];
        tally.overlap[person] += overlap;
        const auto match = sighting.matches.find(kPeopleNames[person]);
        if (match == sighting.matches.end()) continue;
        ++tally.recognised[person];
        tally.similarity[person] += match->second;
      }
      tally.elsewhere += of_somebody ? 0 : 1;
      if (!of_somebody && !sighting.matches.empty()) ++tally.mistaken;
    }
  }
  return tally;
}

void Print(const char* what, const Tally& tally) {
  for (std::size_t person = 0; person < kPeople; ++person) {
    const double found = static_cast<double>(std::max<std::size_t>(tally.found[person], 1));
    const double known = static_cast<double>(std::max<std::size_t>(tally.recognised[person], 1));
    std::printf(
        "%-24s %s: found in %.1f %% of %zu frames (overlap %.2f), recognised in %.1f %% of those "
        "(similarity %.0f), ids %zu\n",
        what, kPeopleNames[person], tally.Part(tally.found[person]), tally.frames,
        tally.overlap[person] / found, 100.0 * static_cast<double>(tally.recognised[person]) / found,
        tally.similarity[person] / known, tally.tracks[person].size());
  }
  std::printf("%-24s mistaken %zu, boxes elsewhere %zu, followed %zu, %.1f ms a frame\n", what,
              tally.mistaken, tally.elsewhere, tally.followed,
              1000 * tally.seconds / static_cast<double>(tally.frames));
}

void ExpectFound(const Tally& tally) {
  for (std::size_t person = 0; person < kPeople; ++person) {
    EXPECT_GE(tally.Part(tally.found[person]), 95) << kPeopleNames[person];
  }
  EXPECT_LE(tally.elsewhere * 20, std::max<std::size_t>(tally.frames, 20));  // of few frames: one
  std::vector<std::string> both;
  std::set_intersection(tally.tracks[0].begin(), tally.tracks[0].end(), tally.tracks[1].begin(),
                        tally.tracks[1].end(), std::back_inserter(both));
  EXPECT_TRUE(both.empty()) << "an id went from one to the other";
}

void ExpectRecognised(const Tally& tally) {
  for (std::size_t person = 0; person < kPeople; ++person) {
    EXPECT_GE(tally.recognised[person] * 100, tally.found[person] * 95) << kPeopleNames[person];
  }
  EXPECT_EQ(tally.mistaken, 0u);
}

TEST(TwoPeopleTest, EachPictureComesAtItsTime) {
  ASSERT_EQ(Video().size(), static_cast<std::size_t>(kSeconds * kPeopleFps));
  for (const Frame& frame : Video()) {
    EXPECT_EQ(std::lround(static_cast<double>(frame.time.ns) * kPeopleFps / 1e9), frame.index);
  }
}

TEST(TwoPeopleTest, AreFoundRecognisedAndFollowed) {
  const Tally tally = Watch({.collection = "staff"}, MakeGallery({0, 1}));
  Print("all frames", tally);
  ExpectFound(tally);
  ExpectRecognised(tally);
  EXPECT_EQ(tally.tracks[0].size(), 1u);
  EXPECT_EQ(tally.tracks[1].size(), 1u);
}

TEST(TwoPeopleTest, KeepTheirIdsWithAFrameASecond) {
  const Tally tally = Watch({.collection = "staff"}, MakeGallery({0, 1}), kPeopleFps);
  Print("a frame a second", tally);
  ExpectFound(tally);
  ExpectRecognised(tally);
  EXPECT_LE(tally.tracks[0].size(), 2u);
  EXPECT_LE(tally.tracks[1].size(), 2u);
}

TEST(TwoPeopleTest, AreFollowedBetweenDetections) {
  FacesSettings settings{.collection = "staff"};
  settings.stream.detect_every = 5;
  const Tally tally = Watch(settings, MakeGallery({0, 1}));
  Print("each fifth detected", tally);
  ExpectFound(tally);
  ExpectRecognised(tally);
  EXPECT_GE(tally.followed, tally.frames);  // of two faces in four frames of five
}

TEST(TwoPeopleTest, AreFoundWhereOnlyMovingPartsAreLookedAt) {
  FacesSettings settings{.collection = "staff"};
  settings.stream.only_moving = true;
  const Tally tally = Watch(settings, MakeGallery({0, 1}));
  Print("moving parts", tally);
  ExpectFound(tally);
  ExpectRecognised(tally);
}

TEST(TwoPeopleTest, WhoIsNotInTheCollectionIsNobody) {
  const Tally tally = Watch({.collection = "staff"}, MakeGallery({0}), 4);
  Print("one known", tally);
  ExpectFound(tally);
  EXPECT_GE(tally.recognised[0] * 100, tally.found[0] * 95);
  EXPECT_EQ(tally.mistaken, 0u);
  const Tally other = Watch({.collection = "staff"}, MakeGallery({1}), 4);
  ExpectFound(other);
  EXPECT_GE(other.recognised[1] * 100, other.found[1] * 95);
  EXPECT_EQ(other.mistaken, 0u);
}

// The video, nothing for as long, and the video again, two frames a second from second `begins` on:
// the records by second and half.
std::map<int, std::string> RecordsOf(const FacesSettings& settings,
                                     const std::shared_ptr<const FaceGallery>& gallery, int begins) {
  constexpr int kStep = kPeopleFps / 2;
  auto analyzer = FacesAnalyzer::MakeFrom(settings, std::make_unique<FixedGallery>(gallery));
  EXPECT_TRUE(analyzer) << analyzer.error().ToString();
  const auto stream = (*analyzer)->Open("door", {});
  EXPECT_TRUE(stream) << stream.error().ToString();
  const cv::Mat nothing(Video().front().image.size(), CV_8UC1, cv::Scalar::all(120));
  std::map<int, std::string> records;
  for (int index = begins * kPeopleFps; index < 3 * kSeconds * kPeopleFps; index += kStep) {
    const int part = index / (kSeconds * kPeopleFps);
    const Timestamp time = Timestamp::FromMillis(index * 1000LL / kPeopleFps);
    const int fragment = index / kPeopleFps;
    const auto members = (*stream)->Analyze(
        {.image =
             part == 1 ? nothing : Video()[static_cast<std::size_t>(index % (kSeconds * kPeopleFps))].image,
         .stream = "door",
         .fragment_number = std::to_string(fragment),
         .producer_time = time,
         .server_time = time,
         .offset = time - Timestamp::FromMillis(fragment * 1000LL),
         .key_frame = index % kPeopleFps == 0});
    EXPECT_TRUE(members) << members.error().ToString();
    if (members) records[index / kStep] = boost::json::serialize(*members);
  }
  return records;
}

TEST(TwoPeopleTest, AnalysedAgainGivesTheSame) {
  ASSERT_EQ(Video().size(), static_cast<std::size_t>(kSeconds * kPeopleFps));
  const auto gallery = MakeGallery({0, 1});
  const FacesSettings settings{.collection = "staff"};
  const auto all = RecordsOf(settings, gallery, 0);
  EXPECT_EQ(all, RecordsOf(settings, gallery, 0));
  // A restart in the middle of the second showing: what it looks at first is kWarmUp.
  constexpr int kWarmUp = static_cast<int>(FacesStream::kWarmUp / std::chrono::seconds(1));
  constexpr int kBegins = 2 * kSeconds + 4;
  const auto again = RecordsOf(settings, gallery, kBegins - kWarmUp);
  std::size_t named = 0;
  for (int at = 2 * kBegins; at < 2 * 3 * kSeconds; ++at) {
    ASSERT_TRUE(all.contains(at) && again.contains(at)) << at;
    EXPECT_EQ(all.at(at), again.at(at)) << "half second " << at;
    for (const char* name : kPeopleNames) {
      named +=
          all.at(at).find("\"ExternalImageId\":\"" + std::string(name) + '"') != std::string::npos ? 1 : 0;
    }
  }
  EXPECT_GE(named, static_cast<std::size_t>(3 * kSeconds - kBegins) * 2 * kPeople * 9 / 10);
}

}  // namespace
}  // namespace millrace::testing
