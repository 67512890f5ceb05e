#include "api/access/access_rules.h"

#include "api/http/http.h"

namespace millrace::api {
namespace {

constexpr AccessRule Open(std::string_view method, std::string_view pattern) {
  return {method, pattern, Door::kOpen, BodyUse::kNone, "", ""};
}
constexpr AccessRule Token(std::string_view method, std::string_view pattern) {
  return {method, pattern, Door::kToken, BodyUse::kNone, "", ""};
}
constexpr AccessRule Own(std::string_view method, std::string_view pattern, std::string_view action,
                         std::string_view resource, BodyUse body = BodyUse::kNone) {
  return {method, pattern, Door::kOwn, body, action, resource};
}
constexpr AccessRule Video(std::string_view pattern, std::string_view action,
                           BodyUse body = BodyUse::kWhole) {
  return {"POST", pattern, Door::kVideoStreams, body, action, ""};
}

constexpr BodyUse kWhole = BodyUse::kWhole;

constexpr AccessRule kRules[] = {
    Open("GET", "/"),
    Open("GET", "/index.html"),
    Open("GET", "/assets/{path...}"),
    Open("GET", "/favicon.ico"),
    Open("GET", "/healthz"),
    Open("GET", "/readyz"),
    Open("POST", "/v1/session"),
    Open("DELETE", "/v1/session"),

    {kWebSocketMethod, "/", Door::kVideoStreams, BodyUse::kNone, "kinesisvideo:ConnectAsMaster", ""},
    {"POST", "/", Door::kDataStreams, BodyUse::kWhole, "kinesis:Unknown", "*"},

    Video("/createStream", "kinesisvideo:CreateStream"),
    Video("/describeStream", "kinesisvideo:DescribeStream"),
    Video("/listStreams", "kinesisvideo:ListStreams"),
    Video("/updateStream", "kinesisvideo:UpdateStream"),
    Video("/updateDataRetention", "kinesisvideo:UpdateDataRetention"),
    Video("/deleteStream", "kinesisvideo:DeleteStream"),
    Video("/tagStream", "kinesisvideo:TagStream"),
    Video("/untagStream", "kinesisvideo:UntagStream"),
    Video("/listTagsForStream", "kinesisvideo:ListTagsForStream"),
    Video("/TagResource", "kinesisvideo:TagResource"),
    Video("/UntagResource", "kinesisvideo:UntagResource"),
    Video("/ListTagsForResource", "kinesisvideo:ListTagsForResource"),
    Video("/describeNotificationConfiguration", "kinesisvideo:DescribeNotificationConfiguration"),
    Video("/updateNotificationConfiguration", "kinesisvideo:UpdateNotificationConfiguration"),
    Video("/describeImageGenerationConfiguration", "kinesisvideo:DescribeImageGenerationConfiguration"),
    Video("/updateImageGenerationConfiguration", "kinesisvideo:UpdateImageGenerationConfiguration"),
    Video("/describeStreamStorageConfiguration", "kinesisvideo:DescribeStreamStorageConfiguration"),
    Video("/updateStreamStorageConfiguration", "kinesisvideo:UpdateStreamStorageConfiguration"),
    Video("/describeMappedResourceConfiguration", "kinesisvideo:DescribeMappedResourceConfiguration"),
    Video("/startEdgeConfigurationUpdate", "kinesisvideo:StartEdgeConfigurationUpdate"),
    Video("/describeEdgeConfiguration", "kinesisvideo:DescribeEdgeConfiguration"),
    Video("/deleteEdgeConfiguration", "kinesisvideo:DeleteEdgeConfiguration"),
    Video("/listEdgeAgentConfigurations", "kinesisvideo:ListEdgeAgentConfigurations"),
    Video("/createSignalingChannel", "kinesisvideo:CreateSignalingChannel"),
    Video("/describeSignalingChannel", "kinesisvideo:DescribeSignalingChannel"),
    Video("/listSignalingChannels", "kinesisvideo:ListSignalingChannels"),
    Video("/updateSignalingChannel", "kinesisvideo:UpdateSignalingChannel"),
    Video("/deleteSignalingChannel", "kinesisvideo:DeleteSignalingChannel"),
    Video("/getSignalingChannelEndpoint", "kinesisvideo:GetSignalingChannelEndpoint"),
    Video("/describeMediaStorageConfiguration", "kinesisvideo:DescribeMediaStorageConfiguration"),
    Video("/updateMediaStorageConfiguration", "kinesisvideo:UpdateMediaStorageConfiguration"),
    Video("/joinStorageSession", "kinesisvideo:JoinStorageSession"),
    Video("/joinStorageSessionAsViewer", "kinesisvideo:JoinStorageSessionAsViewer"),
    Video("/v1/get-ice-server-config", "kinesisvideo:GetIceServerConfig"),
    Video("/getDataEndpoint", "kinesisvideo:GetDataEndpoint"),
    Video("/listFragments", "kinesisvideo:ListFragments"),
    Video("/getMedia", "kinesisvideo:GetMedia"),
    Video("/getMediaForFragmentList", "kinesisvideo:GetMediaForFragmentList"),
    Video("/getClip", "kinesisvideo:GetClip"),
    Video("/getImages", "kinesisvideo:GetImages"),
    Video("/putMedia", "kinesisvideo:PutMedia", BodyUse::kStreamed),
    Video("/getHLSStreamingSessionURL", "kinesisvideo:GetHLSStreamingSessionURL"),
    Video("/getDASHStreamingSessionURL", "kinesisvideo:GetDASHStreamingSessionURL"),
    Token("GET", "/hls/v1/getHLSMasterPlaylist.m3u8"),
    Token("OPTIONS", "/hls/v1/getHLSMasterPlaylist.m3u8"),
    Token("GET", "/hls/v1/getHLSMediaPlaylist.m3u8"),
    Token("OPTIONS", "/hls/v1/getHLSMediaPlaylist.m3u8"),
    Token("GET", "/hls/v1/getMP4InitFragment.mp4"),
    Token("OPTIONS", "/hls/v1/getMP4InitFragment.mp4"),
    Token("GET", "/hls/v1/getMP4MediaFragment.mp4"),
    Token("OPTIONS", "/hls/v1/getMP4MediaFragment.mp4"),
    Token("GET", "/hls/v1/getTSFragment.ts"),
    Token("OPTIONS", "/hls/v1/getTSFragment.ts"),
    Token("GET", "/hls/v1/getTSFragment"),
    Token("OPTIONS", "/hls/v1/getTSFragment"),
    Token("GET", "/dash/v1/getDASHManifest.mpd"),
    Token("OPTIONS", "/dash/v1/getDASHManifest.mpd"),
    Token("GET", "/dash/v1/getMP4InitFragment.mp4"),
    Token("OPTIONS", "/dash/v1/getMP4InitFragment.mp4"),
    Token("GET", "/dash/v1/getMP4MediaFragment.mp4"),
    Token("OPTIONS", "/dash/v1/getMP4MediaFragment.mp4"),

    Own("GET", "/metrics", "millrace:GetMetrics", "*"),
    Own("GET", "/hls/{stream}/{resource}", "millrace:PlayStream", "stream/{stream}"),
    Own("POST", "/whip/{stream}", "millrace:PublishStream", "stream/{stream}", kWhole),
    Own("PATCH", "/whip/{stream}/{session}", "millrace:PublishStream", "stream/{stream}", kWhole),
    Own("DELETE", "/whip/{stream}/{session}", "millrace:PublishStream", "stream/{stream}"),
    Own("POST", "/whep/{stream}", "millrace:PlayStream", "stream/{stream}", kWhole),
    Own("PATCH", "/whep/{stream}/{session}", "millrace:PlayStream", "stream/{stream}", kWhole),
    Own("DELETE", "/whep/{stream}/{session}", "millrace:PlayStream", "stream/{stream}"),
    Own("GET", "/v1/cameras", "millrace:ListCameras", "*"),
    Own("GET", "/v1/cameras/{name}", "millrace:GetCamera", "camera/{name}"),
    Own("PUT", "/v1/cameras/{name}", "millrace:PutCamera", "camera/{name}", kWhole),
    Own("DELETE", "/v1/cameras/{name}", "millrace:DeleteCamera", "camera/{name}"),
    Own("GET", "/v1/secrets", "millrace:ListSecrets", "*"),
    Own("PUT", "/v1/secrets/{name}", "millrace:PutSecret", "secret/{name}", kWhole),
    Own("DELETE", "/v1/secrets/{name}", "millrace:DeleteSecret", "secret/{name}"),
    Own("GET", "/v1/streams", "millrace:ListStreams", "*"),
    Own("GET", "/v1/streams/{name}", "millrace:GetStream", "stream/{name}"),
    Own("DELETE", "/v1/streams/{name}", "millrace:DeleteStream", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/coverage", "millrace:GetStream", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/fragments", "millrace:GetStream", "stream/{name}"),
    Own("DELETE", "/v1/streams/{name}/footage", "millrace:DeleteFootage", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/holds", "millrace:ListHolds", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/holds/{id}", "millrace:ListHolds", "stream/{name}"),
    Own("PUT", "/v1/streams/{name}/holds/{id}", "millrace:PutHold", "stream/{name}", kWhole),
    Own("DELETE", "/v1/streams/{name}/holds/{id}", "millrace:ReleaseHold", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/faces", "millrace:ListFaces", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/events", "millrace:ListEvents", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/thumbnails", "millrace:PlayStream", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/export", "millrace:ExportStream", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/export/stretches", "millrace:ExportStream", "stream/{name}"),
    Own("GET", "/v1/streams/{name}/image", "millrace:PlayStream", "stream/{name}"),
    Own("GET", "/v1/face-collections", "millrace:ListFaceCollections", "*"),
    Own("GET", "/v1/face-collections/{name}", "millrace:GetFaceCollection", "face-collection/{name}"),
    Own("DELETE", "/v1/face-collections/{name}", "millrace:DeleteFaceCollection", "face-collection/{name}"),
    Own("GET", "/v1/face-collections/{name}/faces", "millrace:GetFaceCollection", "face-collection/{name}"),
    Own("POST", "/v1/face-collections/{name}/faces", "millrace:IndexFaces", "face-collection/{name}", kWhole),
    Own("DELETE", "/v1/face-collections/{name}/faces", "millrace:DeleteFaces", "face-collection/{name}"),
    Own("GET", "/v1/applications", "millrace:ListApplications", "*"),
    Own("GET", "/v1/applications/{app}", "millrace:GetApplication", "application/{app}"),
    Own("DELETE", "/v1/applications/{app}", "millrace:DeleteApplication", "application/{app}"),
    Own("POST", "/v1/applications/{app}/begin", "millrace:RunApplication", "application/{app}", kWhole),
    Own("POST", "/v1/applications/{app}/leases/take", "millrace:RunApplication", "application/{app}", kWhole),
    Own("POST", "/v1/applications/{app}/leases/renew", "millrace:RunApplication", "application/{app}",
        kWhole),
    Own("POST", "/v1/applications/{app}/leases/release", "millrace:RunApplication", "application/{app}",
        kWhole),
    Own("POST", "/v1/applications/{app}/leases/attempt", "millrace:RunApplication", "application/{app}",
        kWhole),
    Own("POST", "/v1/applications/{app}/commit", "millrace:RunApplication", "application/{app}", kWhole),
    Own("GET", "/v1/data-streams", "kinesis:ListStreams", "*"),
    Own("GET", "/v1/data-streams/{name}", "kinesis:DescribeStream", "stream/{name}"),
    Own("GET", "/v1/data-streams/{name}/records", "kinesis:GetRecords", "stream/{name}"),
    Own("GET", "/v1/analyzers", "millrace:ListAnalyzers", "*"),
    Own("GET", "/v1/webhooks", "millrace:ListWebhooks", "*"),
    Own("POST", "/v1/webhooks/{name}/test", "millrace:TestWebhook", "webhook/{name}"),
    Own("GET", "/v1/storage", "millrace:GetStorage", "*"),
    Own("GET", "/v1/backup", "millrace:GetBackup", "*"),
};

}  // namespace

const AccessRule* FindAccessRule(std::string_view method, std::string_view pattern) {
  if (method == "HEAD") method = "GET";
  for (const AccessRule& rule : kRules) {
    if (rule.method == method && rule.pattern == pattern) return &rule;
  }
  return nullptr;
}

std::span<const AccessRule> AccessRules() { return kRules; }

}  // namespace millrace::api
