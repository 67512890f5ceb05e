#include "parser/mkv_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/parser/mkv_builder.h"

namespace millrace::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EventLogger final : public MkvVisitor {
 public:
  Result<void> OnStartMaster(const ElementHeader& element) override {
    events.push_back("<" + ElementName(element.id) + " " + std::to_string(element.offset));
    return {};
  }
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override {
    events.push_back(">" + ElementName(element.id) + " " + std::to_string(end_offset));
    return {};
  }
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override {
    EXPECT_EQ(element.size, data.span().size());
    events.push_back(ElementName(element.id) + "=" + std::string(AsText(data.span())));
    return {};
  }
  std::vector<std::string> events;
};

struct Outcome {
  std::vector<std::string> events;
  Result<void> result;
};

Outcome ParseInPieces(ByteSpan bytes, std::size_t piece, const ParserLimits& limits) {
  EventLogger logger;
  MkvParser parser(logger, limits);
  Result<void> result;
  for (std::size_t at = 0; result && at < bytes.size(); at += piece) {
    result = parser.Push(bytes.subspan(at, std::min(piece, bytes.size() - at)));
  }
  if (result) result = parser.Finish();
  if (!result) {
    EXPECT_FALSE(parser.Push(ByteSpan(bytes))) << "an error is for good";
  }
  return {std::move(logger.events), std::move(result)};
}

// Whole, and in pieces of every small size, with equal results.
Outcome ParseEveryWay(ByteSpan bytes, const ParserLimits& limits = {}) {
  Outcome whole = ParseInPieces(bytes, bytes.size() + 1, limits);
  for (std::size_t piece = 1; piece <= 13; ++piece) {
    const Outcome split = ParseInPieces(bytes, piece, limits);
    EXPECT_EQ(whole.events, split.events) << "in pieces of " << piece;
    EXPECT_EQ(whole.result.has_value(), split.result.has_value());
    if (!whole.result && !split.result) {
      EXPECT_EQ(whole.result.error().message, split.result.error().message);
    }
  }
  return whole;
}

Bytes EbmlHeader(const std::function<void(Bytes&)>& fill) {
  Bytes out;
  const std::size_t ebml = BeginMaster(out, ElementId::kEbml, 8);
  fill(out);
  EndMaster(out, ebml, 8);
  return out;
}
Bytes MatroskaHeader() {
  return EbmlHeader([](Bytes& out) { AppendText(out, ElementId::kDocType, "matroska"); });
}

TEST(Rfc8794Section6, KnownSizesNest) {
  Bytes bytes = MatroskaHeader();
  const std::size_t segment = BeginMaster(bytes, ElementId::kSegment, 1);
  const std::size_t info = BeginMaster(bytes, ElementId::kInfo, 1);
  AppendText(bytes, ElementId::kTitle, "t");
  EndMaster(bytes, info, 1);
  EndMaster(bytes, segment, 1);
  const Outcome outcome = ParseEveryWay(bytes);
  EXPECT_TRUE(outcome.result);
  EXPECT_THAT(outcome.events, ElementsAre("<EBML 0", "DocType=matroska", ">EBML 23", "<Segment 23",
                                          "<Info 28", "Title=t", ">Info 37", ">Segment 37"));
}

TEST(Rfc8794Section6, UnknownSizesEndAtAHigherLevel) {
  for (const int length : {1, 2, 8}) {
    Bytes bytes = MatroskaHeader();
    for (int document = 0; document < 2; ++document) {
      AppendElementId(bytes, ElementId::kSegment);
      AppendUnknownSize(bytes, length);
      for (int cluster = 0; cluster < 2; ++cluster) {
        AppendElementId(bytes, ElementId::kCluster);
        AppendUnknownSize(bytes, length);
        AppendText(bytes, ElementId::kTimestamp, "t");
      }
      const std::size_t tags = BeginMaster(bytes, ElementId::kTags, 1);
      EndMaster(bytes, tags, 1);
      if (document == 0) {
        const Bytes next = MatroskaHeader();
        bytes.insert(bytes.end(), next.begin(), next.end());
      }
    }
    const Outcome outcome = ParseEveryWay(bytes);
    EXPECT_TRUE(outcome.result);
    std::vector<std::string> names;
    for (const std::string& event : outcome.events) names.push_back(event.substr(0, event.find(' ')));
    const std::vector<std::string> document{
        "<EBML",    "DocType=matroska", ">EBML",    "<Segment", "<Cluster", "Timestamp=t", ">Cluster",
        "<Cluster", "Timestamp=t",      ">Cluster", "<Tags",    ">Tags",    ">Segment"};
    std::vector<std::string> expected = document;
    expected.insert(expected.end(), document.begin(), document.end());
    EXPECT_EQ(names, expected);
  }
}

TEST(Rfc8794Section6, AClusterOfUnknownSizeKeepsItsUnknownElements) {
  MkvBuilder mkv;
  mkv.Header().StartCluster(0, SizeForm::kUnknown8);
  AppendText(mkv.out(), static_cast<ElementId>(0x4FFF), "unknown");
  AppendText(mkv.out(), ElementId::kVoid, "void");
  AppendText(mkv.out(), ElementId::kPosition, "p");
  const Outcome outcome = ParseEveryWay(mkv.Take());
  EXPECT_TRUE(outcome.result);
  EXPECT_THAT(outcome.events, Contains("Position=p"));
}

TEST(Rfc8794Section12, WhatIsNotUnderstoodIsSkipped) {
  MkvBuilder mkv;
  mkv.Header();
  AppendText(mkv.out(), ElementId::kCrc32, "crc!");
  AppendText(mkv.out(), ElementId::kVoid, std::string(300, 'v'));
  AppendText(mkv.out(), ElementId::kCues, "not even EBML inside");
  AppendText(mkv.out(), ElementId::kSeekHead, "nor here");
  AppendText(mkv.out(), ElementId::kAttachments, std::string(100'000, 'a'));
  AppendText(mkv.out(), static_cast<ElementId>(0x1ABCDEF0), "unknown");
  AppendUnsigned(mkv.out(), ElementId::kPixelWidth, 5);  // known, but misplaced
  const std::size_t tags = BeginMaster(mkv.out(), ElementId::kTags, 1);
  EndMaster(mkv.out(), tags, 1);
  const Outcome outcome = ParseEveryWay(mkv.Take());
  EXPECT_TRUE(outcome.result);
  const std::vector<std::string> tail(outcome.events.end() - 4, outcome.events.end());
  EXPECT_THAT(tail[0], HasSubstr(">Info"));
  EXPECT_THAT(tail[1], HasSubstr("<Tags"));
}

TEST(Rfc8794Section12, AnEmptyInputIsNoError) {
  EXPECT_TRUE(ParseEveryWay({}).result);
  EXPECT_TRUE(ParseEveryWay(MatroskaHeader()).result);
}

TEST(MkvParser, PayloadsThatLieInTheInputAreNotCopied) {
  class Keeper final : public MkvVisitor {
   public:
    Result<void> OnData(const ElementHeader& element, const ElementData& data) override {
      if (element.id == ElementId::kSimpleBlock) kept = data.Share();
      return {};
    }
    SharedBytes kept;
  };
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0).Simple(1, 0, true, "frame").EndCluster();
  const SharedBytes bytes(mkv.Take());
  {
    Keeper keeper;
    MkvParser parser(keeper);
    ASSERT_TRUE(parser.Push(bytes));
    EXPECT_GE(keeper.kept.data(), bytes.data());
    EXPECT_LT(keeper.kept.data(), bytes.data() + bytes.size());
  }
  Keeper keeper;
  MkvParser parser(keeper);
  ASSERT_TRUE(parser.Push(bytes.Slice(0, bytes.size() - 2)));
  ASSERT_TRUE(parser.Push(bytes.Slice(bytes.size() - 2, 2)));
  EXPECT_EQ(AsText(keeper.kept.span()).substr(4), "frame") << "gathered from two calls, kept beyond them";
}

TEST(MkvParser, TheVisitorsErrorComesOut) {
  class Refuser final : public MkvVisitor {
   public:
    Result<void> OnData(const ElementHeader& /*element*/, const ElementData& /*data*/) override {
      return Error{ErrorCode::kCancelled, "enough"};
    }
  };
  Refuser refuser;
  MkvParser parser(refuser);
  const Result<void> result = parser.Push(ByteSpan(MatroskaHeader()));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  ASSERT_FALSE(parser.Finish());
  EXPECT_EQ(parser.Finish().error().message, "enough");
}

// Input that is refused, and what is said about it.
struct BadCase {
  const char* name;
  std::function<Bytes()> make;
  ErrorCode code;
  const char* message;  // a part of it
  ParserLimits limits = {};
};
void PrintTo(const BadCase& tested, std::ostream* out) { *out << tested.name; }
class BadMatroska : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadMatroska, IsRefused) {
  const Outcome outcome = ParseEveryWay(GetParam().make(), GetParam().limits);
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().code, GetParam().code);
  EXPECT_THAT(outcome.result.error().message, HasSubstr(GetParam().message));
}

Bytes HeaderThen(const std::function<void(Bytes&)>& append) {
  MkvBuilder mkv;
  mkv.Header();
  append(mkv.out());
  return mkv.Take();
}
Bytes ClusterThen(const std::function<void(Bytes&)>& append) {
  MkvBuilder mkv;
  mkv.Header().StartCluster(0, SizeForm::kUnknown1);
  append(mkv.out());
  return mkv.Take();
}
void AppendClaim(Bytes& out, ElementId id, std::uint64_t size) { AppendElementHeader(out, id, size); }

std::string BadName(const ::testing::TestParamInfo<BadCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Rfc8794Section11, BadMatroska,
    ::testing::Values(
        BadCase{"NoDocType", [] { return EbmlHeader([](Bytes&) {}); }, ErrorCode::kUnsupported, "DocType"},
        BadCase{"OtherDocType",
                [] { return EbmlHeader([](Bytes& out) { AppendText(out, ElementId::kDocType, "other"); }); },
                ErrorCode::kUnsupported, "DocType 'other'"},
        BadCase{"NewerEbml",
                [] {
                  return EbmlHeader([](Bytes& out) {
                    AppendText(out, ElementId::kDocType, "webm");
                    AppendUnsigned(out, ElementId::kEbmlReadVersion, 2);
                  });
                },
                ErrorCode::kUnsupported, "EBMLReadVersion 2"},
        BadCase{"NewerMatroska",
                [] {
                  return EbmlHeader([](Bytes& out) {
                    AppendText(out, ElementId::kDocType, "matroska");
                    AppendUnsigned(out, ElementId::kDocTypeReadVersion, 5);
                  });
                },
                ErrorCode::kUnsupported, "DocTypeReadVersion 5"},
        BadCase{"LongIds",
                [] {
                  return EbmlHeader([](Bytes& out) {
                    AppendText(out, ElementId::kDocType, "matroska");
                    AppendUnsigned(out, ElementId::kEbmlMaxIdLength, 5);
                  });
                },
                ErrorCode::kUnsupported, "EBMLMaxIDLength 5"},
        BadCase{"ShortIds",
                [] {
                  return EbmlHeader([](Bytes& out) { AppendUnsigned(out, ElementId::kEbmlMaxIdLength, 3); });
                },
                ErrorCode::kCorruption, "EBMLMaxIDLength"},
        BadCase{"LongSizes",
                [] {
                  return EbmlHeader([](Bytes& out) {
                    AppendText(out, ElementId::kDocType, "matroska");
                    AppendUnsigned(out, ElementId::kEbmlMaxSizeLength, 9);
                  });
                },
                ErrorCode::kUnsupported, "EBMLMaxSizeLength 9"},
        BadCase{"NoSizes",
                [] {
                  return EbmlHeader(
                      [](Bytes& out) { AppendUnsigned(out, ElementId::kEbmlMaxSizeLength, 0); });
                },
                ErrorCode::kCorruption, "EBMLMaxSizeLength"},
        BadCase{"SizeLongerThanPromised",
                [] {
                  Bytes out = EbmlHeader([](Bytes& header) {
                    AppendText(header, ElementId::kDocType, "matroska");
                    AppendUnsigned(header, ElementId::kEbmlMaxSizeLength, 4);
                  });
                  AppendElementId(out, ElementId::kSegment);
                  AppendUnknownSize(out, 8);
                  return out;
                },
                ErrorCode::kCorruption, "EBMLMaxSizeLength"}),
    BadName);

INSTANTIATE_TEST_SUITE_P(
    Rfc8794Section6, BadMatroska,
    ::testing::Values(
        BadCase{"NotMatroska",
                [] {
                  const ByteSpan text = AsBytes("GIF89a, and more bytes");
                  return Bytes(text.begin(), text.end());
                },
                ErrorCode::kCorruption, "at byte 0"},
        BadCase{"Zeros", [] { return Bytes(100, 0); }, ErrorCode::kCorruption,
                "malformed element id at byte 0"},
        BadCase{"SegmentFirst",
                [] {
                  Bytes out;
                  AppendElementId(out, ElementId::kSegment);
                  AppendUnknownSize(out);
                  return out;
                },
                ErrorCode::kCorruption, "no EBML header"},
        BadCase{"ClusterFirst",
                [] {
                  Bytes out;
                  AppendClaim(out, ElementId::kCluster, 0);
                  return out;
                },
                ErrorCode::kCorruption, "EBML header is expected"},
        BadCase{"TwoSegments",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendElementId(out, ElementId::kSegment);
                    AppendUnknownSize(out);
                  });
                },
                ErrorCode::kCorruption, "no EBML header"},
        BadCase{"MalformedSize",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendElementId(out, ElementId::kTags);
                    out.push_back(0);
                  });
                },
                ErrorCode::kCorruption, "Tags at byte"},
        BadCase{"MalformedId", [] { return HeaderThen([](Bytes& out) { out.push_back(0xFF); }); },
                ErrorCode::kCorruption, "malformed element id"},
        BadCase{"ChildLargerThanItsParent",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kInfo, 10);
                    AppendClaim(out, ElementId::kTitle, 8);
                    out.insert(out.end(), 20, 'x');
                  });
                },
                ErrorCode::kCorruption, "runs past the end of Info"},
        BadCase{"HeaderThatCrossesItsParentsEnd",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kInfo, 1);
                    AppendClaim(out, ElementId::kTitle, 0);
                  });
                },
                ErrorCode::kCorruption, "runs past the end of Info"},
        BadCase{"MastersOfUnknownSize",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendElementId(out, ElementId::kTracks);
                    AppendUnknownSize(out);
                  });
                },
                ErrorCode::kCorruption, "Tracks"},
        BadCase{"BlocksOfUnknownSize",
                [] {
                  return ClusterThen([](Bytes& out) {
                    AppendElementId(out, ElementId::kSimpleBlock);
                    AppendUnknownSize(out, 1);
                  });
                },
                ErrorCode::kCorruption, "unknown size"},
        BadCase{"UnknownElementsOfUnknownSize",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendElementId(out, static_cast<ElementId>(0x4FFF));
                    AppendUnknownSize(out);
                  });
                },
                ErrorCode::kCorruption, "unknown size"},
        BadCase{"ClusterInAKnownCluster",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kCluster, 100);
                    AppendClaim(out, ElementId::kCluster, 10);
                  });
                },
                ErrorCode::kCorruption, "stands inside Cluster"},
        BadCase{"DocumentInAKnownSegment",
                [] {
                  Bytes out = MatroskaHeader();
                  AppendClaim(out, ElementId::kSegment, 1000);
                  AppendClaim(out, ElementId::kEbml, 10);
                  return out;
                },
                ErrorCode::kCorruption, "stands inside Segment"},
        BadCase{"IntegersOfNineBytes",
                [] {
                  return ClusterThen(
                      [](Bytes& out) { AppendBinary(out, ElementId::kPosition, Bytes(9, 0)); });
                },
                ErrorCode::kCorruption, "size that its type cannot have"},
        BadCase{"FloatsOfThreeBytes",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kInfo, 6);
                    AppendBinary(out, ElementId::kDuration, Bytes(3, 0));
                  });
                },
                ErrorCode::kCorruption, "size that its type cannot have"},
        BadCase{"EndsInAHeader", [] { return HeaderThen([](Bytes& out) { out.push_back(0x1F); }); },
                ErrorCode::kCorruption, "header at byte"},
        BadCase{"EndsInAPayload",
                [] {
                  return ClusterThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kSimpleBlock, 100);
                    out.insert(out.end(), 99, 0);
                  });
                },
                ErrorCode::kCorruption, "SimpleBlock at byte"},
        BadCase{"EndsInAVoid",
                [] { return HeaderThen([](Bytes& out) { AppendClaim(out, ElementId::kVoid, 5); }); },
                ErrorCode::kCorruption, "Void at byte"},
        BadCase{"EndsInAMaster",
                [] { return HeaderThen([](Bytes& out) { AppendClaim(out, ElementId::kTags, 5); }); },
                ErrorCode::kCorruption, "Tags at byte"}),
    BadName);

ParserLimits SmallLimits() {
  return {
      .frame_bytes_max = 100, .element_bytes_max = 50, .cluster_bytes_max = 300, .skipped_bytes_max = 400};
}

INSTANTIATE_TEST_SUITE_P(
    Limits, BadMatroska,
    ::testing::Values(
        BadCase{"FrameOfTheLargestSize",
                [] {
                  return ClusterThen([](Bytes& out) { AppendClaim(out, ElementId::kSimpleBlock, kVintMax); });
                },
                ErrorCode::kResourceExhausted, "SimpleBlock"},
        BadCase{"TextOfTheLargestSize",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kInfo, kVintMax);
                    AppendClaim(out, ElementId::kTitle, kVintMax - 100);
                  });
                },
                ErrorCode::kResourceExhausted, "Title"},
        BadCase{
            "ClusterOfTheLargestSize",
            [] { return HeaderThen([](Bytes& out) { AppendClaim(out, ElementId::kCluster, kVintMax); }); },
            ErrorCode::kResourceExhausted, "Cluster"},
        BadCase{"VoidOfTheLargestSize",
                [] { return HeaderThen([](Bytes& out) { AppendClaim(out, ElementId::kVoid, kVintMax); }); },
                ErrorCode::kResourceExhausted, "Void"},
        BadCase{"EbmlHeaderOfTheLargestSize",
                [] {
                  Bytes out;
                  AppendClaim(out, ElementId::kEbml, kVintMax);
                  AppendClaim(out, ElementId::kDocType, kVintMax - 100);
                  return out;
                },
                ErrorCode::kResourceExhausted, "DocType"},
        BadCase{"Frame",
                [] {
                  return ClusterThen(
                      [](Bytes& out) { AppendBinary(out, ElementId::kSimpleBlock, Bytes(101, 0)); });
                },
                ErrorCode::kResourceExhausted, "SimpleBlock", SmallLimits()},
        BadCase{"Value",
                [] {
                  return HeaderThen([](Bytes& out) {
                    AppendClaim(out, ElementId::kInfo, 60);
                    AppendBinary(out, ElementId::kTitle, Bytes(51, 'x'));
                  });
                },
                ErrorCode::kResourceExhausted, "Title", SmallLimits()},
        BadCase{"ClusterOfKnownSize",
                [] { return HeaderThen([](Bytes& out) { AppendClaim(out, ElementId::kCluster, 301); }); },
                ErrorCode::kResourceExhausted, "Cluster", SmallLimits()},
        BadCase{"ClusterOfUnknownSizeThatGrows",
                [] {
                  return ClusterThen([](Bytes& out) {
                    for (int i = 0; i < 4; ++i) AppendBinary(out, ElementId::kSimpleBlock, Bytes(90, 0));
                  });
                },
                ErrorCode::kResourceExhausted, "makes its Cluster larger", SmallLimits()},
        BadCase{
            "Skipped",
            [] { return HeaderThen([](Bytes& out) { AppendBinary(out, ElementId::kCues, Bytes(401, 0)); }); },
            ErrorCode::kResourceExhausted, "Cues", SmallLimits()},
        BadCase{"NestedTags",
                [] {
                  return HeaderThen([](Bytes& out) {
                    Bytes inner;
                    for (int i = 0; i < 100; ++i) {
                      Bytes outer;
                      AppendBinary(outer, ElementId::kSimpleTag, inner);
                      inner = std::move(outer);
                    }
                    Bytes tag;
                    AppendBinary(tag, ElementId::kTag, inner);
                    AppendBinary(out, ElementId::kTags, tag);
                  });
                },
                ErrorCode::kResourceExhausted, "nested deeper than 16"}),
    BadName);

}  // namespace
}  // namespace millrace::testing
