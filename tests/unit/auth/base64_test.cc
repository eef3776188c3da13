#include "pgweir/auth/base64.h"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace pgweir::auth {

using std::string_view_literals::operator""sv;

TEST_CASE("base64: RFC 4648's examples go both ways") {
    struct Example {
        std::string_view bytes;
        std::string_view text;
    };

    for (const Example& example : {
             Example{"",               ""        },
             Example{"f",              "Zg=="    },
             Example{"fo",             "Zm8="    },
             Example{"foo",            "Zm9v"    },
             Example{"foob",           "Zm9vYg=="},
             Example{"fooba",          "Zm9vYmE="},
             Example{"foobar",         "Zm9vYmFy"},
             Example{"\xff\xfe\x00"sv, "//4A"    },
             Example{"\xfb\xef\xbe"sv, "++++"    }
    }) {
        CHECK(base64_encode(example.bytes) == example.text);
        CHECK(base64_decode(example.text) == std::string{example.bytes});
    }
}

TEST_CASE("base64: every byte value survives the way there and back") {
    std::string bytes;
    for (int value = 0; value < 256; ++value) {
        bytes += static_cast<char>(value);
        CHECK(base64_decode(base64_encode(bytes)) == bytes);
    }
}

TEST_CASE("base64: what is not exactly one text is refused") {
    for (const std::string_view text :
         {"Z"sv, "Zg"sv, "Zg="sv, "Zm9vY"sv, "Zg==\n"sv, " Zg="sv, "Zm 9"sv, "Zm9-"sv, "Zm9_"sv,
          "===="sv, "Z==="sv, "Zg==Zg=="sv, "=Zg="sv, "Z=g="sv, "Zm8\0"sv, "Zm9\xff"sv}) {
        CAPTURE(text);
        CHECK_FALSE(base64_decode(text).has_value());
    }
}

TEST_CASE("base64: spare bits that are not zero are refused") {
    REQUIRE(base64_decode("Zg==").has_value());
    CHECK_FALSE(base64_decode("Zh==").has_value());
    REQUIRE(base64_decode("Zm8=").has_value());
    CHECK_FALSE(base64_decode("Zm9=").has_value());
}

}  // namespace pgweir::auth
