#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace culprit {

/// Walks the fields of one protobuf message where it lies, without building anything (wire format
/// of protobuf.dev/programming-guides/encoding). Numbers and lengths are checked against the bytes
/// that are there; groups, deprecated since proto2, count as malformed.
///
///     WireFields fields(bytes);
///     while (fields.next())
///         if (fields.is_bytes(5)) name = fields.bytes();
///     if (!fields.ok()) ...
class WireFields {
public:
    explicit WireFields(std::string_view message)
        : at_(message.data()), end_(message.data() + message.size()) {}

    /// False at the end and at anything malformed.
    bool next() {
        std::uint64_t tag = 0;
        if (at_ == end_ || !ok_) return false;
        if (!varint(tag) || tag >> 3U == 0 || tag > UINT32_MAX) return ok_ = false;
        field_ = static_cast<std::uint32_t>(tag >> 3U);
        type_ = static_cast<std::uint32_t>(tag & 7U);
        switch (type_) {
            case type_varint:
                return ok_ = varint(number_);
            case type_fixed64:
                return ok_ = fixed(8);
            case type_bytes: {
                std::uint64_t size = 0;
                if (!varint(size) || size > static_cast<std::uint64_t>(end_ - at_))
                    return ok_ = false;
                bytes_ = {at_, static_cast<std::size_t>(size)};
                at_ += size;
                return true;
            }
            case type_fixed32:
                return ok_ = fixed(4);
            default:
                return ok_ = false;
        }
    }
    bool ok() const { return ok_; }
    bool is_bytes(std::uint32_t field) const { return field_ == field && type_ == type_bytes; }
    bool is_varint(std::uint32_t field) const { return field_ == field && type_ == type_varint; }
    bool is_fixed64(std::uint32_t field) const { return field_ == field && type_ == type_fixed64; }
    std::string_view bytes() const { return bytes_; }
    std::uint64_t number() const { return number_; }
    std::uint32_t field() const { return type_ == type_bytes ? field_ : 0; }

private:
    static constexpr std::uint32_t type_varint = 0;
    static constexpr std::uint32_t type_fixed64 = 1;
    static constexpr std::uint32_t type_bytes = 2;
    static constexpr std::uint32_t type_fixed32 = 5;

    bool varint(std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (at_ == end_) return false;
            const auto byte = static_cast<unsigned char>(*at_++);
            value |= static_cast<std::uint64_t>(byte & 127U) << shift;
            if (byte < 128) return true;
        }
        return false;
    }
    // Little-endian, as this machine is.
    bool fixed(std::size_t size) {
        if (static_cast<std::size_t>(end_ - at_) < size) return false;
        number_ = 0;
        std::memcpy(&number_, at_, size);
        at_ += size;
        return true;
    }

    const char* at_;
    const char* end_;
    std::uint32_t field_ = 0;
    std::uint32_t type_ = 0;
    std::uint64_t number_ = 0;
    std::string_view bytes_;
    bool ok_ = true;
};

}  // namespace culprit
