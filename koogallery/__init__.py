"""The KooGallery platform: settings, kernel, identity, notifications."""
