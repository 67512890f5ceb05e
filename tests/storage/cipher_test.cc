// The envelope's bytes: AES-256-GCM against known answers, and a wrapped data key and a sealed record that
// another program has made (docs/storage-format.md, "Encrypted records").
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "storage/aes_gcm.h"
#include "storage/data_keys.h"
#include "storage/master_keys.h"
#include "storage/record_cipher.h"
#include "tests/hex.h"
#include "tests/storage/log_fixture.h"

namespace millrace::storage {
namespace {

using test::FromHex;

template <std::size_t N>
std::array<std::uint8_t, N> ArrayFromHex(std::string_view text) {
  std::array<std::uint8_t, N> array{};
  const Bytes bytes = FromHex(text);
  EXPECT_EQ(bytes.size(), N);
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), array.begin());
  return array;
}

// The test cases of McGrew and Viega's specification of GCM, of keys of 256 bits.
struct GcmCase {
  std::string name, key, nonce, bound, plain, sealed, tag;
};

class AesGcmAnswers : public testing::TestWithParam<GcmCase> {};

TEST_P(AesGcmAnswers, AreTheKnownOnes) {
  const GcmCase& known = GetParam();
  AesGcm cipher;
  EXPECT_OK(cipher.SetKey(SecretKey(FromHex(known.key))));
  const auto nonce = ArrayFromHex<kGcmNonceBytes>(known.nonce);
  const Bytes bound = FromHex(known.bound);
  const Bytes plain = FromHex(known.plain);
  // In one part, and in two.
  for (std::size_t cut : {std::size_t{0}, bound.size() / 3}) {
    const std::array<ByteSpan, 2> parts{ByteSpan(bound).first(cut), ByteSpan(bound).subspan(cut)};
    Bytes out(plain.size());
    EXPECT_EQ(Get(cipher.Seal(nonce, parts, plain, out.data())), ArrayFromHex<kGcmTagBytes>(known.tag));
    EXPECT_EQ(out, FromHex(known.sealed));
    EXPECT_TRUE(Get(cipher.Open(nonce, parts, out, ArrayFromHex<kGcmTagBytes>(known.tag), out.data())));
    EXPECT_EQ(out, plain);
  }
}

const std::string kKey(64, '0');
const std::string kKey2 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
INSTANTIATE_TEST_SUITE_P(
    GcmSpecification, AesGcmAnswers,
    testing::Values(
        GcmCase{"Case13", kKey, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        GcmCase{"Case14", kKey, "000000000000000000000000", "", "00000000000000000000000000000000",
                "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
        GcmCase{"Case16", kKey2, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b"}),
    [](const auto& tested) { return tested.param.name; });

TEST(AesGcm, GivesNothingUnproven) {
  AesGcm cipher;
  EXPECT_OK(cipher.SetKey(SecretKey(FromHex(kKey2))));
  const GcmNonce nonce{1, 2, 3};
  Bytes text = MakeData(100, 1);
  GcmTag tag = Get(cipher.Seal(nonce, {}, text, text.data()));
  tag[15] ^= 1;
  EXPECT_FALSE(Get(cipher.Open(nonce, {}, text, tag, text.data())));
  EXPECT_EQ(text, Bytes(100, 0));
}

// ---- master keys

const std::string kBase64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string kHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

TEST(MasterKeys, AreReadInEachForm) {
  auto keys =
      Get(MasterKeys::Parse("# ours\n\n  new " + kBase64 + "\r\nold\t" + std::string(64, 'f') + "\n", "f"));
  EXPECT_EQ(keys.Ids(), (std::vector<std::string>{"new", "old"}));
  EXPECT_EQ(keys.current(), "new");
  auto variable = Get(MasterKeys::Parse("a " + kHex + "; b " + std::string(64, '0'), "f"));
  EXPECT_EQ(variable.Ids(), (std::vector<std::string>{"a", "b"}));
  // Without an id: the same key has the same one, in either form.
  auto nameless = Get(MasterKeys::Parse(kBase64, "f"));
  EXPECT_EQ(nameless.current(), Get(MasterKeys::Parse(kHex, "f")).current());
  EXPECT_EQ(nameless.current().size(), 36u);
  EXPECT_NE(nameless.current(), Get(MasterKeys::Parse(std::string(64, '0'), "f")).current());
  // And it is the same key.
  const SecretKey data_key = Get(SecretKey::Random());
  auto opened = Get(Get(MasterKeys::Parse("new " + kHex, "f")).Unwrap(Get(keys.Wrap(data_key, {})), {}));
  EXPECT_TRUE(std::ranges::equal(opened.span(), data_key.span()));
}

struct BadKeys {
  std::string name, text;
};
class MasterKeysRefused : public testing::TestWithParam<BadKeys> {};
TEST_P(MasterKeysRefused, WithoutRepeatingThem) {
  auto keys = MasterKeys::Parse(GetParam().text, "the file");
  ASSERT_FALSE(keys.has_value());
  EXPECT_EQ(keys.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(keys.error().message.find("AAECAw"), std::string::npos) << keys.error().message;
  EXPECT_NE(keys.error().message.find("the file"), std::string::npos) << keys.error().message;
}
INSTANTIATE_TEST_SUITE_P(
    Texts, MasterKeysRefused,
    testing::Values(BadKeys{"Empty", ""}, BadKeys{"OnlyComments", "# a\n\n"}, BadKeys{"Short", "a AAECAw=="},
                    BadKeys{"NoKey", "name"}, BadKeys{"LongBase64", "a AAEC" + kBase64},
                    BadKeys{"BadBase64", "a AAECAwQFBgcICQoLDA0ODxAREhMUF!YXGBkaGxwdHh8="},
                    BadKeys{"Of31Bytes", "a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="},
                    BadKeys{"Of33Bytes", "a AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"},
                    BadKeys{"BadHex", "a " + std::string(63, '0') + "g"},
                    BadKeys{"ShortHex", "a " + std::string(63, '0')}, BadKeys{"BadId", "a/b " + kBase64},
                    BadKeys{"LongId", std::string(65, 'i') + " " + kBase64},
                    BadKeys{"Twice", "a " + kBase64 + "\na " + std::string(64, '0')},
                    BadKeys{"TwiceNameless", kBase64 + "\n" + kHex}, BadKeys{"ThreeWords", "a b " + kBase64}),
    [](const auto& tested) { return tested.param.name; });

class MasterKeyFile : public testing::Test {
 protected:
  std::string Write(const std::string& text, ::mode_t mode = 0600) {
    const std::string path = directory_.path() + "/key";
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  TemporaryDirectory directory_;
};

TEST_F(MasterKeyFile, IsReadWhereNobodyElseCan) {
  EXPECT_EQ(Get(MasterKeys::FromFile(Write("mine " + kBase64 + "\n"))).current(), "mine");
  EXPECT_EQ(Get(MasterKeys::FromFile(Write("mine " + kBase64, 0400))).current(), "mine");
  for (::mode_t mode : {0640u, 0604u, 0620u, 0602u, 0644u}) {
    auto keys = MasterKeys::FromFile(Write("mine " + kBase64, mode));
    EXPECT_EQ(CodeOf(keys), ErrorCode::kFailedPrecondition) << mode;
  }
  EXPECT_EQ(CodeOf(MasterKeys::FromFile(directory_.path() + "/none")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(MasterKeys::FromFile(directory_.path())), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(MasterKeys::FromFile(Write(std::string(70'000, '#')))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(MasterKeys::FromFile(Write(""))), ErrorCode::kInvalidArgument);
}

TEST(MasterKeyVariable, IsTakenOutOfTheEnvironment) {
  const char* name = "MILLRACE_TEST_MASTER_KEY";
  ::setenv(name, ("mine " + kBase64).c_str(), 1);
  EXPECT_EQ(Get(MasterKeys::FromEnvironment(name)).current(), "mine");
  EXPECT_EQ(::getenv(name), nullptr);
  EXPECT_EQ(CodeOf(MasterKeys::FromEnvironment(name)), ErrorCode::kNotFound);
}

TEST(MasterKeys, OpenWhatTheyWrappedAndNothingElse) {
  auto keys = Get(MasterKeys::Parse("new " + kBase64 + "\nold " + std::string(64, '1'), "f"));
  const SecretKey data_key = Get(SecretKey::Random());
  const Bytes context = {1, 2, 3};
  const WrappedKey wrapped = Get(keys.Wrap(data_key, context));
  EXPECT_EQ(wrapped.master_id, "new");
  EXPECT_NE(wrapped.bytes, Get(keys.Wrap(data_key, context)).bytes);  // another nonce
  EXPECT_EQ(CodeOf(keys.Unwrap(wrapped, {})), ErrorCode::kPermissionDenied);
  for (std::size_t at = 0; at < wrapped.bytes.size(); ++at) {
    WrappedKey changed = wrapped;
    changed.bytes[at] ^= 0x10;
    EXPECT_EQ(CodeOf(keys.Unwrap(changed, context)), ErrorCode::kPermissionDenied) << at;
  }
  WrappedKey changed = wrapped;
  changed.bytes.pop_back();
  EXPECT_EQ(CodeOf(keys.Unwrap(changed, context)), ErrorCode::kPermissionDenied);
  changed = wrapped;
  changed.master_id = "old";
  EXPECT_EQ(CodeOf(keys.Unwrap(changed, context)), ErrorCode::kPermissionDenied);
  changed.master_id = "lost";
  EXPECT_EQ(CodeOf(keys.Unwrap(changed, context)), ErrorCode::kFailedPrecondition);
  auto another = Get(MasterKeys::Parse("new " + std::string(64, '2'), "f"));
  EXPECT_EQ(CodeOf(another.Unwrap(wrapped, context)), ErrorCode::kPermissionDenied);
}

// ---- what lies on the disk

constexpr StoreId kStore = 0x0123456789abcdef;
constexpr StreamId kStream = 3;
constexpr DataKeyId kDataKey = 2;

// Wrapped by another program, of a data key ff fe … e0, with the master key 00 01 … 1f.
const char kWrapped[] =
    "a0a1a2a3a4a5a6a7a8a9aaab19e681d1be31fb4795937227f488312e9f42b4fc795dab847be8c3629c4994e12df2ca6131631efd"
    "046277342628badb";
const char kSealed[] = "24a45e8008";
const char kTag[] = "0264b3319c6748b24e6bf43a74e59757";

class Envelope : public testing::Test {
 protected:
  Envelope() {
    StreamState stream;
    stream.id = kStream;
    stream.name = "door";
    DataKeyRow row;
    row.wrapped = {"m1", FromHex(kWrapped)};
    EXPECT_OK(state_.Apply({StreamRow(stream), DataKeySetRow(kStream, kDataKey, row)}));
    EXPECT_OK(keys_.Load(state_));
    identity_.stream = kStream;
    identity_.shard = ShardId{5};
    identity_.shard_created_s = 0x684ee17e;
    identity_.counter = 0x18493fbaa089ca01;
    identity_.arrival = Timestamp{0x18493fbaa089ca00};
    identity_.partition_key = AsBytes("cam");
    identity_.attributes = attributes_;
    seal_.data_key = kDataKey;
    seal_.salt = ArrayFromHex<12>("b0b1b2b3b4b5b6b7b8b9babb");
    seal_.tag = ArrayFromHex<16>(kTag);
  }
  Result<Bytes> Open(const RecordIdentity& identity, const RecordSeal& seal, std::string_view sealed) {
    Bytes data = FromHex(sealed);
    RecordOpener opener(keys_);
    MILLRACE_RETURN_IF_ERROR(opener.Open(identity, seal, data));
    return data;
  }

  ControlState state_;
  DataKeys keys_{std::make_shared<const MasterKeys>(Get(MasterKeys::Parse("m1 " + kHex, "f"))), kStore};
  Bytes attributes_ = FromHex("010002002a");
  RecordIdentity identity_;
  RecordSeal seal_;
};

TEST_F(Envelope, IsOpenedAsItIsDescribed) {
  EXPECT_EQ(AsText(Get(Open(identity_, seal_, kSealed))), "hello");
}

TEST_F(Envelope, OfAnythingElseDoesNotOpen) {
  auto refused = [&](const char* what, auto change) {
    RecordIdentity identity = identity_;
    RecordSeal seal = seal_;
    std::string sealed = kSealed;
    change(identity, seal, sealed);
    EXPECT_EQ(CodeOf(Open(identity, seal, sealed)), ErrorCode::kCorruption) << what;
  };
  refused("shard", [](auto& i, auto&, auto&) { ++i.shard.index; });
  refused("second of the shard", [](auto& i, auto&, auto&) { ++i.shard_created_s; });
  refused("counter", [](auto& i, auto&, auto&) { ++i.counter; });
  refused("arrival", [](auto& i, auto&, auto&) { ++i.arrival.ns; });
  refused("partition key", [](auto& i, auto&, auto&) { i.partition_key = AsBytes("can"); });
  refused("no partition key", [](auto& i, auto&, auto&) { i.partition_key = {}; });
  refused("attributes", [](auto& i, auto&, auto&) { i.attributes = i.attributes.first(4); });
  refused("the border of both", [&](auto& i, auto&, auto&) {
    i.partition_key = AsBytes("cam\x01");
    i.attributes = i.attributes.subspan(1);
  });
  refused("salt", [](auto&, auto& s, auto&) { s.salt[3] ^= 1; });
  refused("tag", [](auto&, auto& s, auto&) { s.tag[0] ^= 0x80; });
  refused("data", [](auto&, auto&, auto& d) { d[1] = d[1] == '0' ? '1' : '0'; });
  refused("less data", [](auto&, auto&, auto& d) { d.resize(8); });
  RecordSeal seal = seal_;
  seal.data_key = 1;
  EXPECT_EQ(CodeOf(Open(identity_, seal, kSealed)), ErrorCode::kNotFound);
}

TEST_F(Envelope, IsAnotherWithEachOpeningOfTheLog) {
  const SharedBytes data(MakeData(300, 7));
  RecordSealer one(keys_);
  RecordSealer two(keys_);
  auto first = Get(one.Seal(identity_, kDataKey, data));
  auto second = Get(two.Seal(identity_, kDataKey, data));  // the same counter, of a run that did not know
  EXPECT_NE(first.seal.salt, second.seal.salt);
  EXPECT_FALSE(std::ranges::equal(first.data.span(), second.data.span()));
  auto third = Get(one.Seal(identity_, kDataKey, data));
  EXPECT_EQ(first.seal.salt, third.seal.salt);
  EXPECT_EQ(one.UsageOf(kStream, kDataKey).records, 2u);
  EXPECT_EQ(one.UsageOf(kStream, kDataKey).bytes, 600u);
  EXPECT_EQ(one.UsageOf(kStream, 1).records, 0u);
  RecordOpener opener(keys_);  // one for both runs
  for (const auto* sealed : {&first, &second, &first}) {
    Bytes bytes(sealed->data.span().begin(), sealed->data.span().end());
    EXPECT_OK(opener.Open(identity_, sealed->seal, bytes));
    EXPECT_TRUE(std::ranges::equal(bytes, data.span()));
  }
}

TEST_F(Envelope, IsSealedWithTheKeyThatItNamesWhateverBecameOfTheRows) {
  RecordSealer sealer(keys_);
  Get(sealer.Seal(identity_, kDataKey, SharedBytes(MakeData(10, 1))));
  // As if its row had gone, and then two changes had not been written.
  std::vector<DataKeyId> ids;
  for (int i = 0; i < 3; ++i) {
    const DataKeys::Made made = Get(keys_.Make(kStream, 0));
    ids.push_back(made.id);
    const SharedBytes data(MakeData(300, made.id));
    auto sealed = Get(sealer.Seal(identity_, made.id, data));
    // The row alone has to be enough for the next opening.
    ControlState next;
    StreamState stream;
    stream.id = kStream;
    stream.name = "door";
    DataKeyRow row;
    row.wrapped = made.wrapped;
    EXPECT_OK(next.Apply({StreamRow(stream), DataKeySetRow(kStream, made.id, row)}));
    DataKeys reopened(std::make_shared<const MasterKeys>(*keys_.masters()), kStore);
    EXPECT_OK(reopened.Load(next));
    Bytes bytes(sealed.data.span().begin(), sealed.data.span().end());
    EXPECT_OK(RecordOpener(reopened).Open(identity_, sealed.seal, bytes));
    EXPECT_TRUE(std::ranges::equal(bytes, data.span()));
  }
  EXPECT_EQ(ids, (std::vector<DataKeyId>{3, 4, 5}));
  EXPECT_FALSE(keys_.Has(kStream, kDataKey));  // what no row names is not kept
  EXPECT_FALSE(keys_.Has(kStream, 4));
  EXPECT_TRUE(keys_.Has(kStream, 5));
  EXPECT_EQ(Get(keys_.Make(kStream, 5)).id, 6u);
  EXPECT_TRUE(keys_.Has(kStream, 5));
  EXPECT_EQ(Get(keys_.Make(kStream + 1, 0)).id, 1u);
  EXPECT_EQ(CodeOf(keys_.Make(kStream, 0xffffffff)), ErrorCode::kResourceExhausted);
}

TEST(DataKeys, ThatOpenNothingNeedNoMasterKey) {
  ControlState state;
  StreamState stream;
  stream.id = kStream;
  stream.name = "door";
  DataKeyRow row;
  row.wrapped = {"lost", Bytes(60, 1)};
  row.through = 100;
  EXPECT_OK(state.Apply({StreamRow(stream), DataKeySetRow(kStream, kDataKey, row)}));
  EXPECT_OK(DataKeys(nullptr, kStore).Load(state));
  EXPECT_OK(state.Apply({SegmentAddedRow(1, {0, Timestamp{101}})}));
  DataKeys keys(std::make_shared<const MasterKeys>(Get(MasterKeys::Parse("m1 " + kHex, "f"))), kStore);
  EXPECT_OK(keys.Load(state));
  EXPECT_FALSE(keys.Has(kStream, kDataKey));
  EXPECT_EQ(Get(keys.Make(kStream, 0)).id, kDataKey + 1);
  EXPECT_OK(state.Apply({SegmentAddedRow(2, {1, Timestamp{100}})}));
  EXPECT_EQ(CodeOf(DataKeys(nullptr, kStore).Load(state)), ErrorCode::kFailedPrecondition);
}

TEST_F(Envelope, OfEmptyDataStillSaysWhoseItIs) {
  RecordSealer sealer(keys_);
  const auto sealed = Get(sealer.Seal(identity_, kDataKey, SharedBytes()));
  EXPECT_TRUE(sealed.data.empty());
  RecordOpener opener(keys_);
  EXPECT_OK(opener.Open(identity_, sealed.seal, {}));
  ++identity_.counter;
  EXPECT_EQ(CodeOf(opener.Open(identity_, sealed.seal, {})), ErrorCode::kCorruption);
}

TEST_F(Envelope, NeedsTheKeyOfItsOwnStreamAndStore) {
  auto masters = std::make_shared<const MasterKeys>(Get(MasterKeys::Parse("m1 " + kHex, "f")));
  EXPECT_EQ(CodeOf(DataKeys(masters, kStore + 1).Load(state_)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(DataKeys(nullptr, kStore).Load(state_)), ErrorCode::kFailedPrecondition);
  ControlState moved;
  StreamState stream;
  stream.id = kStream + 1;
  stream.name = "window";
  DataKeyRow row;
  row.wrapped = {"m1", FromHex(kWrapped)};
  EXPECT_OK(moved.Apply({StreamRow(stream), DataKeySetRow(kStream + 1, kDataKey, row)}));
  auto loaded = DataKeys(masters, kStore).Load(moved);
  EXPECT_EQ(CodeOf(loaded), ErrorCode::kPermissionDenied);
  EXPECT_NE(loaded.error().message.find("'window'"), std::string::npos) << loaded.error().message;
}

}  // namespace
}  // namespace millrace::storage
